import fc from 'fast-check';
import { LinkifyIt } from 'linkify-it';
import { describe, expect, test, vi } from 'vitest';
import { type Charset, charsetOf } from '../../src/message/charset.ts';
import type { Range } from '../../src/message/link.ts';
import { scanText } from '../../src/message/text-links.ts';
import { costOf, expectGrowthWithBytes } from '../products/growth.ts';

function scan(text: string, label = 'utf-8') {
  const bytes = label === 'utf-8' ? Buffer.from(text).toString('latin1') : text;
  const charset = charsetOf(label, bytes) as Charset;
  const read = (start: number, end: number) => charset.decode(bytes.slice(start, end));
  const scanned = scanText(charset.scannable(bytes), charset, 10_000, read);
  if (typeof scanned === 'string') {
    throw new Error(scanned);
  }
  return scanned;
}

function urls(text: string, label?: string): (string | undefined)[] {
  return scan(text, label).candidates.map(({ written }) => written);
}

describe('URLs as people write them', () => {
  test.each([
    ['http://a.example', ['http://a.example']],
    ['See https://a.example/.', ['https://a.example/']],
    ['HTTPS://A.example/B', ['HTTPS://A.example/B']],
    [
      'https://a.example/x, https://b.example/y; https://c.example/z!',
      ['https://a.example/x', 'https://b.example/y', 'https://c.example/z'],
    ],
    ['Really? https://a.example/?q=1?', ['https://a.example/?q=1']],
    ['<https://a.example/x.>', ['https://a.example/x.']],
    ['<https://a.example/x y>', ['https://a.example/x']],
    ['<https://a.example/a–b/L’É/c`d?q=“a”&y=2>', ['https://a.example/a–b/L’É/c`d?q=“a”&y=2']],
    ['<https://i❤.ws>', ['https://i❤.ws']],
    ['<https://a.example,https://b.example/x,y>', ['https://a.example', 'https://b.example/x,y']],
    ['https://نامه‌ای.com/می‌خواهم', ['https://نامه‌ای.com/می‌خواهم']],
    ['https://a.example/👩‍💻/', ['https://a.example/👩‍💻/']],
    ['<URL:https://a.example/>', ['https://a.example/']],
    ['"https://a.example/"', ['https://a.example/']],
    ["'https://a.example/'", ['https://a.example/']],
    ['“https://a.example/”', ['https://a.example/']],
    ['(https://a.example/)', ['https://a.example/']],
    ['(see https://a.example/wiki/A_(b))', ['https://a.example/wiki/A_(b)']],
    ['https://a.example/a(b', ['https://a.example/a']],
    ['[https://a.example/][1]', ['https://a.example/']],
    ['[text](https://a.example/x)', ['https://a.example/x']],
    ['https://a.example/?a[]=1&b[x]={2}', ['https://a.example/?a[]=1&b[x]={2}']],
    [
      '*https://a.example/* _https://b.example/_ ~https://c.example/~',
      ['https://a.example/', 'https://b.example/', 'https://c.example/'],
    ],
    ['https://a.example/*', ['https://a.example/*']],
    ["https://a.example/it's,a;b@c!d~e*f", ["https://a.example/it's,a;b@c!d~e*f"]],
    ['https://a.example:8080/x', ['https://a.example:8080/x']],
    ['https://a.example:', ['https://a.example']],
    ['http://[2001:db8::1]:8080/x http://[::1]', ['http://[2001:db8::1]:8080/x', 'http://[::1]']],
    ['http://127.0.0.1/', ['http://127.0.0.1/']],
    ['http://localhost:3000', ['http://localhost:3000']],
    ['https://user:pass@a.example/', ['https://user:pass@a.example/']],
    ['https://bücher.example/straße', ['https://bücher.example/straße']],
    ['https://例え.jp/', ['https://例え.jp/']],
    ['https://a.example/ü, und', ['https://a.example/ü']],
    ['https://a.example/#a/b?c', ['https://a.example/#a/b?c']],
    ['https://a.example?x=1', ['https://a.example?x=1']],
    ['https://a.example/?u=https://b.example/', ['https://a.example/?u=https://b.example/']],
    ['> https://a.example/\r\n>https://b.example/', ['https://a.example/', 'https://b.example/']],
    ['a\thttps://a.example/\r\nb', ['https://a.example/']],
    ['https://a.example/…', ['https://a.example/']],
    ['https://a_b.example/', ['https://a_b.example/']],
    ['https://a.example./x', ['https://a.example./x']],
    ['ihttps://a.example/ shttp://b.example/ git+https://c.example/', []],
    ['me@a.example a.example www.a.example mailto:me@a.example ftp://a.example/', []],
    ['http:// https://. http://-', []],
    ['http://{{host}}/ http://%%host%%/', []],
  ])('%s', (text, expected) => {
    expect(urls(text)).toEqual(expected);
  });

  test.each([
    ['windows-1252', 'https://a.example/stra\xdfe\xbb', ['https://a.example/straße']],
    ['koi8-r', 'https://a.example/\xc1', ['https://a.example/а']],
    ['shift_jis', '\x83\x68https://a.example/x\x81\x42', ['https://a.example/x']],
    [
      'iso-2022-jp',
      '\x1b$B$3https://a.example/\x1b(B https://b.example/\x1b$B',
      ['https://b.example/'],
    ],
    ['', 'https://a.example/ \xe4', ['https://a.example/']],
  ])('in %s', (label, text, expected) => {
    expect(urls(text, label)).toEqual(expected);
  });

  test.each([
    ['utf-8', '詳細はhttps://a.example/をご覧', 'unclear-end'],
    ['utf-8', '<https://a.example/日本>', undefined],
    ['', 'https://a.example/stra\xdfe', 'unclear-end'],
    ['utf-8', '（https://a.example/）', undefined],
    ['utf-8', 'https://a.example/。「」', undefined],
    ['utf-8', 'https://a.example/foo–bar', 'unclear-end'],
    ['utf-8', 'https://a.example/foo– bar', undefined],
    ['utf-8', '<https://a.example/foo–bar>', 'unclear-end'],
    ['utf-8', '<https://a.example/foo–bar', 'unclear-end'],
    ['utf-8', '<https://i❤.ws/abc>', undefined],
    ['utf-8', '<https://a.example,https://b.example>', 'unclear-end'],
    ['utf-8', '<https://a.example–Shop>', 'unclear-end'],
    ['utf-8', '<https://a.example|text>', 'unclear-end'],
    ['utf-8', '<https://a.example:{{port}}/x>', 'placeholder'],
    ['utf-8', '<https://shop.{{domain}}/sale>', 'placeholder'],
    ['utf-8', '请访问“https://a.example/a”查看详情。', undefined],
    ['utf-8', '„https://a.example/“-Link', undefined],
    ['utf-8', '“https://a.example/a” “b', undefined],
    ['utf-8', '”https://a.example/a“b', 'unclear-end'],
    ['gbk', '\xa1\xb0https://a.example/a\xa1\xb1\xb2\xe9', undefined],
    ['windows-1252', '\x84https://a.example/\x93-Link', undefined],
    ['utf-8', '\u2068https://a.example/b\u2069 open', undefined],
    ['utf-8', 'https://a.example/c\u200f', undefined],
    ['utf-8', 'https://a.example/c\u200b\u2060d', 'unclear-end'],
    ['utf-8', '**Visit https://a.example** now', undefined],
    ['utf-8', '|https://a.example|b|', 'unclear-end'],
    ['utf-8', 'https://i❤.ws/abc', 'unclear-end'],
    ['utf-8', 'https://a.example™/x', 'unclear-end'],
    ['utf-8', 'https://col·lectiu.cat/x', 'unclear-end'],
    ['utf-8', 'https://a.example/L’Étranger', 'unclear-end'],
    ['utf-8', 'https://a.example/צה״ל', 'unclear-end'],
    ['utf-8', 'https://a.example/?q=“a”&y=2', 'unclear-end'],
    ['utf-8', '“https://a.example/”, „https://b.example/“.', undefined],
    ['utf-8', '»https://a.example/«)', undefined],
    ['utf-8', 'https://a.example/…', undefined],
    ['utf-8', 'https://a.example/x؟', undefined],
    ['utf-8', 'https://a.example/می‌خواهم', undefined],
    ['utf-8', 'https://a.example/می\u200c خواهم', 'unclear-end'],
    ['utf-8', 'https://a.example/\u200bx', 'unclear-end'],
    ['utf-8', 'https://a.example/\u00a0x', undefined],
    ['utf-8', 'https://a.example/a`b', 'unclear-end'],
    ['utf-8', '`https://a.example/`', undefined],
    ['utf-8', '**https://a.example**x', 'unclear-end'],
    ['utf-8', '**https://a.example**', undefined],
    ['utf-8', 'https://a.example/a(b', 'unclear-end'],
    ['utf-8', '[x](https://a.example/)y', 'unclear-end'],
    ['utf-8', 'https://a.example,b', 'unclear-end'],
    ['utf-8', 'https://a.example, b', undefined],
    ['utf-8', 'https://a.example:80b', 'unclear-end'],
    ['utf-8', 'http://a.example%2fb/x', 'unclear-end'],
    ['utf-8', 'https://a.example{x}/', 'unclear-end'],
    ['utf-8', 'https://bücher@a.example/', 'unclear-end'],
    ['utf-8', 'https://a.example/[[data-msys-linkname="n"]]x', 'unclear-end'],
    ['windows-1252', '\x93https://a.example/\x94 \x96', undefined],
    ['windows-1252', 'https://a.example/x\x96y', 'unclear-end'],
    ['euc-kr', 'http://a.example/\x81\x41', 'unclear-end'],
    ['utf-8', 'https://shop.{{domain}}/sale', 'placeholder'],
    ['utf-8', 'https://shop-{{domain}}/sale', 'placeholder'],
    ['utf-8', 'https://shop{{domain}}/sale', 'placeholder'],
    ['utf-8', 'https://shop.*|DOMAIN|*/sale', 'placeholder'],
    ['utf-8', 'https://www.%%domain%%/x', 'placeholder'],
    ['utf-8', 'https://news.[[domain]]/x', 'placeholder'],
    ['utf-8', 'https://a.example:{{port}}/x', 'placeholder'],
    ['utf-8', 'https://a.example/{{path}}', 'unclear-end'],
    ['utf-8', 'https://a.example[[data-msys-linkname="n"]]', undefined],
  ])('where it ends is clear or not: %s %s', (label, text, reason) => {
    expect(scan(text, label).candidates[0]?.reason).toBe(reason);
  });

  // 日本 (gb18030 knows 㐌, of four bytes); 。, 「 and the ideographic space
  test.each([
    ['shift_jis', '\x93\xfa\x96\x7b', ['\x81\x42', '\x81\x75', '\x81\x40']],
    ['gbk', '\xc8\xd5\xb1\xbe', ['\xa1\xa3', '\xa1\xb8', '\xa1\xa1']],
    ['gb18030', '\x81\x39\xf0\x31\xb1\xbe', ['\xa1\xa3', '\xa1\xb8', '\xa1\xa1']],
    ['big5', '\xa4\xe9\xa5\xbb', ['\xa1\x43', '\xa1\x75', '\xa1\x40']],
    ['euc-jp', '\xc6\xfc\xcb\xdc', ['\xa1\xa3', '\xa1\xd6', '\xa1\xa1']],
    ['euc-kr', '\xec\xed\xdc\xe2', ['\xa1\xb8', '\xa1\xa1']],
    [
      'iso-2022-jp',
      '\x1b$BF|K\\\x1b(B',
      ['\x1b$B!#\x1b(B', '\x1b$B!V\x1b(B', '\x1b$B!!\x1b(B', '\x1b(B\r\n'],
    ],
  ])(
    'in %s letters behind a URL make its end unclear, punctuation ends it',
    (label, letters, ends) => {
      const url = 'http://x.example/path';
      for (const before of ['', letters]) {
        for (const text of [
          `${url}${letters}`,
          `${url}.${letters}`,
          `http://x${letters}.example/`,
        ]) {
          expect(scan(before + text, label).candidates[0]?.reason).toBe('unclear-end');
        }
        for (const end of ends) {
          const { candidates } = scan(`${before}${before && ' '}${url}${end}${letters}`, label);
          expect(candidates).toMatchObject([{ written: url, reason: undefined }]);
        }
      }
    },
  );
});

describe('marks', () => {
  test.each([
    ['https://a.example/x[[data-msys-clicktrack="0"]], b', { reason: 'opted-out' }, ', b'],
    ['<https://a.example/x[[data-msys-linkname="A b"]]>', { name: 'A b', reason: undefined }, '>'],
    [
      'https://a.example/x[[data-msys-sublink="s"]][[data-msys-unsubscribe="1"]].',
      { sublink: 's', reason: 'unsubscribe' },
      '.',
    ],
    [
      'https://a.example/x[[data-msys-unsubscribe="1" data-msys-sublink="x"]] end',
      { sublink: 'x', reason: 'unsubscribe' },
      ' end',
    ],
    ["https://a.example/x[[data-msys-clicktrack='0']] end", { reason: 'opted-out' }, ' end'],
    ['https://a.example/x[[ data-msys-clicktrack = "0" ]] end', { reason: 'opted-out' }, ' end'],
    ['https://a.example/x[[data-msys-clicktrack=0]] end', { reason: 'opted-out' }, ' end'],
    ['https://a.example/x[[data-msys-clicktrack=“0”]] end', { reason: 'opted-out' }, ' end'],
    ['https://a.example/x[[DATA-MSYS-CLICKTRACK="0"]] end', { reason: 'opted-out' }, ' end'],
    ['https://a.example/x [[data-msys-clicktrack="0"]] end', { reason: 'opted-out' }, '  end'],
    ['https://a.example/x. [[data-msys-clicktrack="0"]]', { reason: 'opted-out' }, '. '],
    ['<https://a.example/x>[[data-msys-clicktrack="0"]]', { reason: 'opted-out' }, '>'],
    ['"https://a.example/x"\t[[data-msys-clicktrack="0"]]', { reason: 'opted-out' }, '"\t'],
    [
      'https://a.example/x[[data-msys-linkname="A"]] [[data-msys-sublink=s]]',
      { name: 'A', sublink: 's', reason: undefined },
      ' ',
    ],
    ['https://a.example/x[[data-msys-linkname="Größe"]] b', { name: 'Größe' }, ' b'],
    ['https://a.example/x[[data-msys-linkname="]]"]] b', { name: ']]' }, ' b'],
    [
      'https://a.example/x[[data-msys-clicktrack="0"\r\n  data-msys-linkname="n"]]\r\nb',
      { reason: 'opted-out', name: 'n' },
      '\r\nb',
    ],
    ['https://a.example/x[[data-msys-linkname="n", data-msys-x]]', { name: 'n' }, ''],
    ['https://a.example/x[[data-msys-linkname]] b', { name: undefined, reason: undefined }, ' b'],
    ['https://a.example/x b [[data-msys-clicktrack="0"]] c', { reason: undefined }, ' b  c'],
    ['https://a.example/x[[data-msys-linkname="n"]]y', { reason: 'unclear-end', end: 19 }, 'y'],
    ['https+notrack://a.example/x', { reason: 'opted-out', written: 'https://a.example/x' }, ''],
    ['https://a.example/x[[other]]', { reason: 'unclear-end' }, '[[other]]'],
    [
      'https://a.example/x[[data-msys-clicktrack="0"',
      { reason: 'placeholder' },
      '[[data-msys-clicktrack="0"',
    ],
  ])('%s', (text, says, behind) => {
    const { candidates, marks } = scan(text);
    expect(candidates).toMatchObject([says]);
    expect(without(text, marks)).toBe(`${/^["<]?/.exec(text)?.[0]}https://a.example/x${behind}`);
  });

  // Behind a URL, and what is left: mail programs wrap lines, with a blank at their end in
  // format=flowed.
  test.each<[text: string, left: string, says?: object]>([
    ['U\r\n[[M]]\r\nb', 'U\r\nb', { reason: 'opted-out' }],
    ['U \r\n[[M]]\r\nb', 'U\r\nb', { reason: 'opted-out' }],
    ['U \r\n[[M]] \r\nb', 'U \r\nb', { reason: 'opted-out' }],
    ['U\r\n[[M]] \r\nb', 'U\r\nb', { reason: 'opted-out' }],
    ['U\n\t[[M]]\nb', 'U\nb', { reason: 'opted-out' }],
    ['> U \r\n> [[M]]\r\n> b', '> U\r\n> b', { reason: 'opted-out' }],
    ['>> U \r\n>> [[M]] \r\n>> b', '>> U \r\n>> b', { reason: 'opted-out' }],
    ['<U\r\n[[M]]>\r\nb', '<U>\r\nb', { reason: 'opted-out' }],
    ['U.\r\n[[M]]', 'U.', { reason: 'opted-out' }],
    ['U\r\n[[M]]> b', 'U> b', { reason: 'opted-out' }],
    ['U\r\n[[M]] b', 'U\r\n b', { reason: 'opted-out' }],
    ['U[[data-msys-linkname="n"]]\r\n[[M]]\r\nb', 'U\r\nb', { reason: 'opted-out', name: 'n' }],
    ['U[[data-msys-linkname="n"]] \r\n[[M]] b', 'U b', { reason: 'opted-out', name: 'n' }],
    ['U[[M]]\r\n[[data-msys-linkname="n"]]> b', 'U> b', { reason: 'opted-out', name: 'n' }],
    ['U\r\n\r\n[[M]]\r\nb', 'U\r\n\r\nb', { reason: 'opted-out' }],
    ['U\r\na [[M]]\r\nb', 'U\r\na \r\nb', { reason: undefined }],
    ['[[M]]\r\nU', 'U', { reason: undefined }],
    ['[[M]] \r\n \r\n[[M]]\r\nU', '\r\nU', { reason: undefined }],
    ['[[M]]> U', '[[M]]> U', { reason: undefined }],
    ['[[M]]--b U', '[[M]]--b U', { reason: undefined }],
    ['a\r\n[[M]]--b U', 'a--b U', { reason: undefined }],
    ['\r\n[[M]]--b U', '\r\n[[M]]--b U', { reason: undefined }],
    ['a\n\n[[M]]-- \nU', 'a\n\n[[M]]-- \nU', { reason: undefined }],
    ['a\r\n\r\n[[M]]> U', 'a\r\n\r\n[[M]]> U', { reason: undefined }],
    ['a \r\n[[M]]>b U', 'a >b U', { reason: undefined }],
    ['-- \r\n[[M]]\r\nU', '-- \r\nU', { reason: undefined }],
  ])('at the start of a line: %j', (text, left, says) => {
    const real = (short: string) =>
      short.replace('U', 'https://a.example/x').replaceAll('[[M]]', '[[data-msys-clicktrack="0"]]');
    const { candidates, marks } = scan(real(text));
    expect(without(real(text), marks)).toBe(real(left));
    expect(candidates).toMatchObject([{ written: 'https://a.example/x', ...says }]);
  });

  test.each([
    'a[[data-msys-clicktrack="0"]]b',
    'mailto:a@a.example[[data-msys-clicktrack="0"]]',
    'www.a.example[[data-msys-sublink=x]] [[data-msys-clicktrack=0]]',
    'https://{{host}}/[[data-msys-clicktrack="0"]]',
  ])('never reach readers, wherever they stand: %s', (text) => {
    const { candidates, marks } = scan(text);
    expect(candidates).toEqual([]);
    expect(without(text, marks)).not.toContain('data-msys');
  });

  test('are found between the characters of a charset of two bytes', () => {
    const text =
      '\x83\x5b[[data-msys-x]]\x93\xfa https://a.example/x[[data-msys-clicktrack=0]]\x81\x42';
    const { candidates, marks } = scan(text, 'shift_jis');
    expect(candidates).toMatchObject([{ start: 20, end: 39, reason: 'opted-out' }]);
    expect(marks.map(({ start, end }) => text.slice(start, end))).toEqual([
      '[[data-msys-x]]',
      '[[data-msys-clicktrack=0]]',
    ]);
  });
});

function without(text: string, marks: readonly Range[]): string {
  let bytes = Buffer.from(text).toString('latin1');
  for (const { start, end } of marks.toReversed()) {
    bytes = bytes.slice(0, start) + bytes.slice(end);
  }
  return Buffer.from(bytes, 'latin1').toString();
}

test('agrees with linkify-it', () => {
  const linkify = new LinkifyIt({ fuzzyEmail: false, urlAuth: true });
  const word = fc.stringMatching(/^[a-z0-9]{1,6}$/);
  const host = fc.array(word, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
  // Punctuation stands before a letter: at the end, and in runs, it is a matter of taste.
  const inPath = fc.constantFrom(
    ...[
      'a',
      'Z',
      '0',
      '/',
      '=',
      '&',
      '%41',
      '@',
      '$',
      '+',
      '-',
      '_',
      '~',
      'ä',
      '(c)',
      '[d]',
      '{e}',
      '*f',
    ],
    ...['.a', ',a', ';a', '!a', '?a', "'a", ':a', '#a', '..a', '(a(b)c)'],
  );
  const path = fc.tuple(fc.constantFrom('/', '/?x', '/#x'), fc.array(inPath, { maxLength: 12 }));
  const url = fc
    .tuple(
      fc.constantFrom('http://', 'https://', 'HTTP://'),
      host,
      fc.constantFrom('', ':80'),
      fc.option(path),
    )
    .map(([scheme, name, port, rest]) => scheme + name + port + (rest?.flat().join('') ?? ''));
  const before = fc.constantFrom('', ' ', '\r\n', ' (', ' "', '> ', ' <', '“', ' text ');
  const behind = fc.constantFrom(
    ' ',
    '\r\n',
    ') ',
    '" ',
    ', ',
    '. ',
    '; ',
    '! ',
    '? ',
    '> ',
    '… ',
    '” ',
  );
  const text = fc
    .array(fc.tuple(before, url, behind), { maxLength: 4 })
    .map((all) => all.flat().join(''));
  fc.assert(
    fc.property(text, (content) => {
      const expected =
        linkify.match(content)?.filter(({ schema }) => schema.startsWith('http')) ?? [];
      expect(urls(content)).toEqual(expected.map(({ raw }) => raw));
    }),
    { numRuns: 600 },
  );
});

test('of too many links, those beyond the limit are not looked for', () => {
  const read = vi.fn(() => 'http://ä.example/');
  const charset = charsetOf('utf-8', '') as Charset;
  const text = 'http://\xc3\xa4.example/ '.repeat(5);
  expect(scanText(text, charset, 5, read)).toHaveProperty('candidates.length', 5);
  read.mockClear();
  expect(scanText(text, charset, 2, read)).toBe('too-many-links');
  expect(read).toHaveBeenCalledTimes(3);
});

test('of too many marks, those beyond the limit are not looked for', () => {
  const read = vi.fn(() => 'data-msys-x');
  const charset = charsetOf('utf-8', '') as Charset;
  const text = 'a[[data-msys-x]] '.repeat(5);
  expect(scanText(text, charset, 5, read)).toHaveProperty('marks.length', 5);
  read.mockClear();
  expect(scanText(text, charset, 2, read)).toBe('too-many-links');
  expect(read).toHaveBeenCalledTimes(2);
});

test.each(['data-msys-a', 'data-msys-a=b'])(
  'an unclosed mark of %j takes no longer than its length',
  async (attribute) => {
    const cost = (count: number) => {
      const text = `[[${attribute.repeat(count)} https://a.example/`;
      return costOf({ bytes: text.length, run: () => urls(text).length });
    };
    await expectGrowthWithBytes(['milliseconds'], async () => [await cost(7), await cost(26)]);
  },
);
