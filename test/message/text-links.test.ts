import fc from 'fast-check';
import { LinkifyIt } from 'linkify-it';
import { describe, expect, test, vi } from 'vitest';
import { type Charset, charsetOf } from '../../src/message/charset.ts';
import { scanText } from '../../src/message/text-links.ts';

function scan(text: string, label = 'utf-8') {
  const bytes = label === 'utf-8' ? Buffer.from(text).toString('latin1') : text;
  const charset = charsetOf(label, bytes) as Charset;
  const read = (start: number, end: number) => charset.decode(bytes.slice(start, end));
  const scanned = scanText(charset.scannable(bytes), { charset, maxLinks: 10_000, read });
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
    ['utf-8', '<https://a.example/foo–bar>', undefined],
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
    ['utf-8', '[x](https://a.example/)y', undefined],
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
    ['utf-8', 'https://a.example/{{path}}', undefined],
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
          const { candidates } = scan(`${before}${url}${end}${letters}`, label);
          expect(candidates).toMatchObject([{ written: url, reason: undefined }]);
        }
      }
    },
  );
});

describe('marks', () => {
  test.each([
    [
      'https://a.example/x[[data-msys-clicktrack="0"]], b',
      { reason: 'opted-out' },
      'https://a.example/x, b',
    ],
    ['<https://a.example/x[[data-msys-linkname="A b"]]>', { name: 'A b' }, '<https://a.example/x>'],
    [
      'https://a.example/[[data-msys-sublink="s"]][[data-msys-unsubscribe="1"]].',
      { sublink: 's', reason: 'unsubscribe' },
      'https://a.example/.',
    ],
    [
      'https+notrack://a.example/',
      { reason: 'opted-out', written: 'https://a.example/' },
      'https://a.example/',
    ],
    [
      'https://a.example/[[other]]',
      { written: 'https://a.example/[[other]]' },
      'https://a.example/[[other]]',
    ],
  ])('%s', (text, says, without) => {
    const { candidates, marks } = scan(text);
    expect(candidates).toMatchObject([says]);
    let result = text;
    for (const { start, end } of marks.toReversed()) {
      result = result.slice(0, start) + result.slice(end);
    }
    expect(result).toBe(without);
  });
});

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
    { numRuns: 2000 },
  );
});

test('of too many links, those beyond the limit are not looked for', () => {
  const read = vi.fn(() => 'http://ä.example/');
  const charset = charsetOf('utf-8', '') as Charset;
  const text = 'http://\xc3\xa4.example/ '.repeat(5);
  expect(scanText(text, { charset, maxLinks: 5, read })).toHaveProperty('candidates.length', 5);
  read.mockClear();
  expect(scanText(text, { charset, maxLinks: 2, read })).toBe('too-many-links');
  expect(read).toHaveBeenCalledTimes(3);
});
