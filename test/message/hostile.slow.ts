import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeaderField } from '../../src/message/header-fields.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { DEFAULT_LIMITS, type MessageOptions } from '../../src/message/reading-options.ts';
import { newsletter } from '../helpers/newsletter.ts';
import { costOf, expectGrowthWithBytes } from '../products/growth.ts';

const OPTIONS: MessageOptions = {
  limits: { ...DEFAULT_LIMITS, links: 100_000 }, // else the large ones end before they are rewritten
  trackUrlText: false,
  ownDomains: new Set(['t.example']),
};

function run(headers: readonly HeaderField[], body: Buffer, options = OPTIONS): number {
  const open = openMessage(headers, options);
  for (let at = 0; at < body.length; at += 65_535) {
    open.write(body.subarray(at, at + 65_535));
  }
  const rewritten = open.end().rewrite(() => 'https://t.example/0123456789abcdefghij');
  return (rewritten.body ?? []).reduce((sum, { length }) => sum + length, 0);
}

const header = (type: string, encoding = '8bit'): HeaderField[] => [
  { name: 'Content-Type', value: type },
  { name: 'Content-Transfer-Encoding', value: encoding },
];

/** A body is given as bytes, one latin1 character each. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

/** Bodies that would be slow in something quadratic, by size. */
const HOSTILE: Record<string, [HeaderField[], (size: number) => string]> = {
  'one line': [header('text/plain'), (n) => 'x'.repeat(n)],
  'links on one line': [header('text/html'), (n) => '<a href="https://a.example/">'.repeat(n / 29)],
  'unfinished tags': [header('text/html'), (n) => '<a '.repeat(n / 3)],
  'unfinished attributes': [header('text/html'), (n) => '<a href="'.repeat(n / 9)],
  'unfinished comments': [header('text/html'), (n) => '<!-- --'.repeat(n / 7)],
  'hyphens in a comment': [header('text/html'), (n) => `<!--${'-'.repeat(n)}`],
  'unfinished scripts': [header('text/html'), (n) => '<script><!--'.repeat(n / 12)],
  'unfinished titles': [header('text/html'), (n) => `<title>${'</titl'.repeat(n / 6)}`],
  'attributes of one tag': [header('text/html'), (n) => `<a ${'b c=d '.repeat(n / 6)}href=x>`],
  'marks of one tag': [header('text/html'), (n) => `<a ${'data-msys-x=1 '.repeat(n / 14)}href=x>`],
  'less-than signs': [header('text/html'), (n) => '<'.repeat(n)],
  'conditional comments': [
    header('text/html'),
    (n) => '<!--[if mso]><a href="<![endif]-->'.repeat(n / 34),
  ],
  'unclosed link texts': [
    header('text/html'),
    (n) => `<a href=https://a.example/>${'<'.repeat(n)}`,
  ],
  'nested elements': [header('text/html'), (n) => `${'<div>'.repeat(n / 5)}<svg>`],
  'nested formatting': [header('text/html'), (n) => `${'<b><p>'.repeat(n / 6)}<svg>`],
  'ampersands in a link': [
    header('text/html'),
    (n) => `<a href="https://a.example/${'&amp'.repeat(n / 4)}">`,
  ],
  'URLs in brackets': [header('text/plain'), (n) => 'http://a.example/('.repeat(n / 18)],
  'URLs before brackets': [header('text/plain'), (n) => 'http://a.example/)'.repeat(n / 18)],
  'one URL of brackets': [header('text/plain'), (n) => `http://a.example/${'('.repeat(n)}`],
  'one URL of dots': [header('text/plain'), (n) => `http://a.example/${'.'.repeat(n)}`],
  'one long host': [header('text/plain'), (n) => `http://${'a.'.repeat(n / 2)}`],
  'at signs': [header('text/plain'), (n) => `http://${'a@'.repeat(n / 2)}`],
  schemes: [header('text/plain'), (n) => 'http://'.repeat(n / 7)],
  'unclosed angle brackets': [header('text/plain'), (n) => '<http://a.example/'.repeat(n / 18)],
  'a URL before dots': [
    header('text/plain; charset=utf-8'),
    (n) => utf8(`http://a.example${'.'.repeat(n / 2)}${'…'.repeat(n / 6)}x`),
  ],
  'unclosed angle brackets before letters': [
    header('text/plain; charset=utf-8'),
    (n) => utf8('<http://a.example/–éé'.repeat(n / 25)),
  ],
  'unclosed marks': [
    header('text/plain'),
    (n) => 'http://a.example/[[data-msys-x="'.repeat(n / 32),
  ],
  marks: [header('text/plain'), (n) => 'http://a.example/[[data-msys-x]] '.repeat(n / 33)],
  'marks before URLs': [
    header('text/plain'),
    (n) => '[[data-msys-x]] '.repeat(n / 32) + 'http://a.example/ '.repeat(n / 36),
  ],
  'angle brackets that run on': [
    header('text/plain'),
    (n) => '<http://a.example/ x\n> '.repeat(n / 23),
  ],
  'quotation marks': [header('text/plain'), (n) => '"http://a.example/" '.repeat(n / 20)],
  'quotation marks behind URLs': [header('text/plain'), (n) => 'http://a.example/"'.repeat(n / 18)],
  'URLs joined by CJK punctuation': [
    header('text/plain; charset=utf-8'),
    (n) => utf8('http://a.example/，'.repeat(n / 20)),
  ],
  'schemes before a URL': [header('text/plain'), (n) => `${'a:b.'.repeat(n / 4)}http://a.example/`],
  'blanks before a URL': [
    header('text/plain'),
    (n) => `<${'\n '.repeat(n / 2)}http://a.example/ x>`,
  ],
  'letters that are not ASCII': [
    header('text/plain; charset=utf-8'),
    (n) => utf8(`http://a.example/${'é'.repeat(n / 2)}`),
  ],
  'letters beyond latin1': [
    header('text/plain; charset=utf-8'),
    (n) => utf8(`http://a.example/${'ж'.repeat(n / 2)}`),
  ],
  'letters without spaces': [
    header('text/plain; charset=utf-8'),
    (n) => utf8(`http://a.example/${'例'.repeat(n / 3)}`),
  ],
  'URLs in a URL with a letter beyond latin1': [
    header('text/plain; charset=utf-8'),
    (n) => utf8(`http://a.example/ж${'://a/'.repeat(n / 5)}`),
  ],
  'a long host of marks': [
    header('text/html; charset=utf-8'),
    (n) => utf8(`<a href="http://a${'\u0301\u0327'.repeat(n / 4)}.example/">`),
  ],
  'a long relative host of marks': [
    header('text/html; charset=utf-8'),
    (n) => utf8(`<base href="http://b/"><a href="//a${'\u0301\u0327'.repeat(n / 4)}.example/">`),
  ],
  'letters of two bytes': [
    header('text/plain; charset=shift_jis'),
    (n) => `http://a.example/${'\x93\xfa'.repeat(n / 2)}`,
  ],
  'URLs before two-byte runs': [
    header('text/plain; charset=iso-2022-jp'),
    (n) => `http://a.example/.${'\x1b$BF|\x1b(B'}`.repeat(n / 26),
  ],
  'soft line breaks': [header('text/plain', 'quoted-printable'), (n) => '=\r\n'.repeat(n / 3)],
  blanks: [header('text/plain', 'quoted-printable'), (n) => `${' '.repeat(n)}x`],
  'blanks after equals signs': [
    header('text/plain', 'quoted-printable'),
    (n) => '= '.repeat(n / 2),
  ],
  'links on one quoted line': [
    header('text/html', 'quoted-printable'),
    (n) => '<a href=3D"https://a.example/">'.repeat(n / 31),
  ],
  'URLs on one quoted line': [
    header('text/plain', 'quoted-printable'),
    (n) => 'http://a.example/ '.repeat(n / 18),
  ],
  'soft flowed lines': [
    header('text/plain; format=flowed; delsp=yes'),
    (n) => 'x \r\n'.repeat(n / 4),
  ],
  'quote marks': [
    header('text/plain; format=flowed; delsp=yes'),
    (n) => '> \r\n'.repeat(n / 4) + '>'.repeat(n),
  ],
  'lines like delimiters': [header('multipart/mixed; boundary=b'), (n) => '--x\r\n'.repeat(n / 5)],
  hyphens: [header('multipart/mixed; boundary=b'), (n) => '-'.repeat(n)],
  delimiters: [header('multipart/mixed; boundary=b'), (n) => '--b\r\n\r\n'.repeat(n / 7)],
  levels: [
    header('multipart/mixed; boundary=b'),
    (n) =>
      Array.from(
        { length: n / 60 },
        (_, i) => `--b${i || ''}\r\nContent-Type: multipart/mixed; boundary=b${i + 1}\r\n\r\n`,
      ).join(''),
  ],
  'a header without end': [
    header('multipart/mixed; boundary=b'),
    (n) => `--b\r\n${'X: y\r\n'.repeat(n / 6)}`,
  ],
  'a header line without end': [
    header('multipart/mixed; boundary=b'),
    (n) => `--b\r\nX: ${'('.repeat(n)}`,
  ],
  'two-byte runs': [header('text/html; charset=iso-2022-jp'), (n) => '\x1b$B<a'.repeat(n / 5)],
};

test('a message of very many changes', () => {
  const body = Buffer.from(`<a ${'data-msys-x=1 '.repeat(150_000)}href=x>`);
  expect(run(header('text/html'), body)).toBe('<a href=x>'.length);
});

describe('time grows with the size, not with its square', () => {
  test.each(Object.entries(HOSTILE))('%s', async (_, [headers, make]) => {
    const cost = (size: number) => {
      const body = Buffer.from(make(size), 'latin1');
      return costOf({ bytes: body.length, run: () => run(headers, body) });
    };
    await cost(50_000);
    await expectGrowthWithBytes(['milliseconds'], async () => [
      await cost(200_000),
      await cost(800_000),
    ]);
  });
});

/** What patterns look for, and what they may try many ways to divide. */
const PIECES = [
  ...[
    '[[',
    '[[data-msys-',
    'data-msys-a',
    'data-msys-a=b',
    'data-msys-a="',
    ']]',
    '{{',
    '{%',
    '%%a',
  ],
  ...['*|', '##', '#a:', '~a.', '$a', '<<', '[%', 'https:', 'http://', 'https://a.example/', 'a@'],
  ...[
    'mailto:',
    '<',
    '</',
    '<a href="',
    '<a href=http://',
    '<base href="//',
    '">',
    '&',
    '&#',
    '<!--',
  ],
  ...[
    '-->',
    '<!--[if mso]>',
    '<script>',
    '<title>',
    '<svg>',
    '=?utf-8?q?',
    '?=',
    '-----BEGIN PGP ',
  ],
  ...[
    "'",
    '"',
    ',',
    ',;',
    '.',
    '-',
    '_',
    '0_',
    '(',
    '[',
    ' ',
    '\n',
    '\n>',
    '\xc3\xa4',
    '\xe2\x80\x93',
  ],
];
/** Below this no text of its size is slow. */
const QUICK_MS = 25;

describe('time grows with the size whatever is repeated', () => {
  test.each(['text/plain', 'text/html', 'List-Unsubscribe'])('in %s', async (where) => {
    const isHeader = where === 'List-Unsubscribe';
    const cost = (first: string, repeated: string, size: number) => {
      const text = `${first}${repeated.repeat(size / repeated.length)}x`;
      const headers = isHeader
        ? [...header('text/plain'), { name: where, value: text }]
        : header(`${where}; charset=utf-8`);
      const body = Buffer.from(isHeader ? 'https://a.example/' : text, 'latin1');
      return costOf({ bytes: text.length, run: () => run(headers, body) });
    };
    for (const first of ['', ...PIECES]) {
      for (const repeated of PIECES) {
        if ((await cost(first, repeated, 20_000)).milliseconds < QUICK_MS) continue;
        await expectGrowthWithBytes(['milliseconds'], async () => [
          await cost(first, repeated, 5000),
          await cost(first, repeated, 20_000),
        ]);
      }
    }
  });
});

test('no mutation of a message makes it throw, or touch what is no link', () => {
  const { headers, body } = newsletter({ size: 6000 });
  const mutation = fc.record({
    at: fc.nat(body.length - 1),
    length: fc.nat(40),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          '--',
          '\r\n',
          '\r\n\r\n',
          '=',
          '<',
          '"',
          '<svg>',
          '<!--',
          '=\r\n',
          '\0',
          'Content-Type: text/html\r\n',
        )
        .map((text) => Buffer.from(text)),
    ),
  });
  fc.assert(
    fc.property(
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      fc.nat(3),
      (mutations, whichHeader) => {
        let bytes = body;
        for (const { at, length, bytes: inserted } of mutations) {
          bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + length)]);
        }
        const open = openMessage(whichHeader === 0 ? headers.slice(0, -1) : headers, OPTIONS);
        open.write(bytes);
        const message = open.end();
        const { body: after, links } = message.rewrite(() => 'https://t.example/T');
        expect(after === undefined).toBe(!links.some(({ tracked }) => tracked));
      },
    ),
    { numRuns: 500 },
  );
});

test.each(['<a>', '<a href>', '<a data-msys-x>', '<!---->', '<!--[if mso]><a><![endif]-->'])(
  '16 MB of %s need a small multiple of their memory',
  (tag) => {
    const script = `
      const { openMessage } = await import(process.argv[1]);
      const open = openMessage([{ name: 'Content-Type', value: 'text/html' }]);
      const body = Buffer.from(process.argv[2].repeat(2 ** 24 / process.argv[2].length));
      for (let at = 0; at < body.length; at += 65_535) open.write(body.subarray(at, at + 65_535));
      console.log(open.end().links.length);`;
    const module = new URL('../../src/message/open-message.ts', import.meta.url).href;
    const heap = ['--max-old-space-size=160', '--max-semi-space-size=4'];
    const args = [...heap, '--import', 'tsx', '--input-type=module', '-e', script, module, tag];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' })).toBe('0\n');
  },
);
