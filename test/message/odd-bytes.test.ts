import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openMessage } from '../../src/message/open-message.ts';

/*
 * Messages as no careful sender writes them: bare CR and LF, NUL, long lines, no final line end, broken encodings. Only
 * links may change, and a message that comes by again stays as it is.
 */

const ODD = [
  ...['\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r', '\0', '\t', ' ', ' \r\n', '\t\n', ' \r', '\f'],
  ...['=', '=\r\n', '=\n', '=\r', '= \r\n', '=3D', '=3d', '=20', '=09\r\n', '=0D=0A', '=0', '=zz'],
  ...['word', '.', '.\r\n', '--', '-- \r\n', '--B', '\n--B', 'From ', '>', '<b>', '&', '"', "'"],
  ...[
    '\xe4',
    '\xff',
    '\xfe\xff',
    '\xef\xbb\xbf',
    '\xc3\xa4',
    '\xe2\x80\x8b',
    '\x81',
    '\x1b$B',
    '\x1b(B',
  ],
  ...['+ADw-', '~{', '<!--', '-->', '<a ', '</a>', '<style>', '</style>', '<svg>', '[[', ']]'],
];
const odd = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...ODD) },
  { weight: 1, arbitrary: fc.constantFrom(70, 76, 900, 990, 998, 2_000).map((n) => 'w'.repeat(n)) },
);
const LINKS = ['https://a.example/', 'http://b.example/x/y', 'https://c.example/'.padEnd(120, 'z')];

/** Text with links, each of which stands in it once. */
const contentOf = (html: boolean): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof({ weight: 3, arbitrary: odd }, { weight: 1, arbitrary: fc.constantFrom(...LINKS) }),
      {
        maxLength: 30,
      },
    )
    .map((bits) =>
      bits
        .map((bit, index) => {
          const link = LINKS.includes(bit) ? `${bit}${index}q` : undefined;
          return link === undefined ? bit : html ? `<a href="${link}">` : ` ${link} `;
        })
        .join(''),
    );

const CHARSETS = [
  ...['us-ascii', 'utf-8', 'iso-8859-1', 'windows-1252', 'koi8-r', 'shift_jis', 'gb18030', 'big5'],
  ...['euc-jp', 'euc-kr', 'iso-2022-jp', 'utf-7', 'x-unknown', 'utf-16', ''],
];
const LITERAL = ['7bit', '8bit', 'binary', '', '8BIT;', '7-bit', '"8bit"'];

interface Part {
  readonly header: string;
  readonly encoding: string;
  readonly raw: string;
}

function partOf(encodings: readonly string[]): fc.Arbitrary<Part> {
  return fc
    .record({
      html: fc.boolean(),
      charset: fc.constantFrom(...CHARSETS),
      encoding: fc.constantFrom(...encodings),
      // With DelSp, a soft line break may stand within a link.
      flowed: fc.constantFrom('', '; format=flowed'),
    })
    .chain(({ html, charset, encoding, flowed }) =>
      contentOf(html).map((raw) => ({
        header:
          `Content-Type: text/${html ? 'html' : 'plain'}${flowed}${charset && `; charset=${charset}`}\n` +
          (encoding && `Content-Transfer-Encoding: ${encoding}\n`),
        encoding,
        raw,
      })),
    );
}

function rewrite(header: string, body: string, chunk: number, ownDomains: readonly string[] = []) {
  const headers = header
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({
      name: line.slice(0, line.indexOf(':')),
      value: line.slice(line.indexOf(':') + 1),
    }));
  const open = openMessage(headers, { ownDomains: new Set(ownDomains) });
  const bytes = Buffer.from(body, 'latin1');
  for (let at = 0; at < bytes.length; at += chunk) open.write(bytes.subarray(at, at + chunk));
  let number = 0;
  const { body: after, links } = open.end().rewrite(() => `https://t.example/${number++}Q`);
  return { after: after && Buffer.concat(after).toString('latin1'), links };
}

/** What a text was, by the links that were tracked in it. */
function undone(text: string, links: ReturnType<typeof rewrite>['links']): string {
  let result = text;
  for (const { url, target } of links) if (url !== undefined) result = result.replace(url, target);
  return result;
}

function expectLeftAlone(header: string, body: string): void {
  const { after, links } = rewrite(header, body, 1_000_000, ['t.example']);
  expect(after).toBeUndefined();
  expect(links.filter(({ tracked }) => tracked)).toEqual([]);
}

const longestLine = (text: string) => Math.max(...text.split('\n').map(({ length }) => length));
const chunks = fc.constantFrom(1, 5, 63, 1_000_000);
/** The URLs that are tracked in all messages of a test: with none, it would show nothing. */
let tracked = 0;

describe('of odd bytes, only links change', () => {
  test('in lines as they are, in trees of parts', () => {
    tracked = 0;
    const message = fc.record({
      parts: fc.array(partOf(LITERAL), { minLength: 1, maxLength: 3 }),
      subtype: fc.constantFrom('mixed', 'alternative', 'related', ''),
      lineEnd: fc.constantFrom('\r\n', '\n', '\r\r\n'),
      ending: fc.constantFrom('--B--\r\n', '--B--', '--B', ''),
    });
    fc.assert(
      fc.property(message, chunks, ({ parts, subtype, lineEnd, ending }, chunk) => {
        const [first = { header: '', raw: '' }] = parts;
        const header =
          subtype === '' ? first.header : `Content-Type: multipart/${subtype}; boundary=B\n`;
        const body =
          subtype === ''
            ? first.raw
            : parts
                .map((part) => `--B\n${part.header}\n`.replaceAll('\n', lineEnd) + part.raw)
                .concat(ending)
                .join(lineEnd);
        const { after, links } = rewrite(header, body, chunk);
        if (after === undefined) return;
        tracked += links.filter(({ url }) => url !== undefined).length;
        expect(undone(after, links)).toBe(body);
        if (!/binary/i.test(header + body)) {
          expect(longestLine(after)).toBeLessThanOrEqual(Math.max(999, longestLine(body)));
        }
        expectLeftAlone(header, after);
      }),
      { numRuns: 500 },
    );
    expect(tracked).toBeGreaterThan(100);
  });

  test('in quoted-printable', () => {
    tracked = 0;
    fc.assert(
      fc.property(partOf(['quoted-printable']), chunks, ({ header, raw }, chunk) => {
        const { after, links } = rewrite(header, raw, chunk);
        if (after === undefined) return;
        tracked += links.filter(({ url }) => url !== undefined).length;
        expect(undone(decodeQuotedPrintable(after), links)).toBe(decodeQuotedPrintable(raw));
        expectLeftAlone(header, after);
      }),
      { numRuns: 500 },
    );
    expect(tracked).toBeGreaterThan(100);
  });

  test('in base64, broken into odd lines', () => {
    tracked = 0;
    const breaks = fc.array(fc.constantFrom('\r\n', '\n', '\r', ' ', '', '\r\n\r\n', '\t'), {
      maxLength: 9,
    });
    fc.assert(
      fc.property(partOf(['base64']), breaks, chunks, ({ header, raw: content }, ends, chunk) => {
        const lines =
          Buffer.from(content, 'latin1')
            .toString('base64')
            .match(/.{1,60}/g) ?? [];
        const raw = lines
          .map((line, at) => line + (ends[at % (ends.length || 1)] ?? '\r\n'))
          .join('');
        const { after, links } = rewrite(header, raw, chunk);
        if (after === undefined) return;
        tracked += links.filter(({ url }) => url !== undefined).length;
        const decoded = Buffer.from(after, 'base64').toString('latin1');
        expect(undone(decoded, links)).toBe(content);
        expectLeftAlone(header, after);
      }),
      { numRuns: 500 },
    );
    expect(tracked).toBeGreaterThan(100);
  });
});

/** Written from RFC 2045: blanks before a line end are padding, and a `=` that means nothing is itself. */
function decodeQuotedPrintable(raw: string): string {
  return raw
    .split('\n')
    .map((line, at, lines) => {
      const ending = at === lines.length - 1 ? '' : line.endsWith('\r') ? '\r\n' : '\n';
      const text = line.slice(0, line.length - (ending === '\r\n' ? 1 : 0)).replace(/[ \t]+$/, '');
      const isSoft = text.endsWith('=') && ending !== '';
      const content = isSoft ? text.slice(0, -1) : text;
      const decoded = content.replace(/=([\dA-F]{2})/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
      return decoded + (isSoft ? '' : ending);
    })
    .join('');
}
