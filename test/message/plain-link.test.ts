import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOptedOutByQuery } from '../../src/message/link-marks.ts';
import { holdsPlaceholder } from '../../src/message/placeholders.ts';
import { plainLink, plainLinkInHtml } from '../../src/message/plain-link.ts';

const ORIGIN = /^https?:\/\/([a-z\d.-]+\.[a-z]{2,})/.source;
const PLAIN = new RegExp(`${ORIGIN}(?:[/?#][!-~]*)?$`);
const PLAIN_IN_HTML = new RegExp(`${ORIGIN}(?:[/?#][!-%'-~]*(?:&amp;[!-%'-~]*)*)?$`);

const link = fc
  .tuple(
    fc.constantFrom('https://', 'http://', 'HTTP://', 'ftp://', 'https:/'),
    fc.array(fc.constantFrom('a', 'b-', '7', '.', '.ex', 'xn--', 'A', 'é', ':80', 'u@'), {
      maxLength: 6,
    }),
    fc.array(
      fc.constantFrom(
        ...[
          '/',
          '?',
          '#',
          'a',
          '=',
          '&',
          '&amp;',
          '&lt;',
          '%20',
          '%7Bx%7D',
          '{x}',
          '*|x|*',
          '$x$',
          '=-x-',
        ],
        ...['no_jumpurl=1', 'NO_JUMPURL=1', '\u{10ffff}', 'ü', '\x7f', ' ', "'", '[[x]]', '##x##'],
      ),
      { maxLength: 8 },
    ),
  )
  .map(([scheme, host, rest]) => scheme + host.join('') + rest.join(''));

describe('a link is read', () => {
  test('where a pattern finds it plain', () => {
    fc.assert(
      fc.property(link, (text) => {
        const [, host] = PLAIN.exec(text) ?? [];
        const isPlain = host !== undefined && !host.includes('xn--');
        const found = plainLink(text);
        expect(found && [found.written, found.host]).toEqual(isPlain ? [text, host] : undefined);
      }),
      { numRuns: 2000 },
    );
  });

  test('in HTML, with &amp; as the only entity', () => {
    fc.assert(
      fc.property(link, (text) => {
        const [, host] = PLAIN_IN_HTML.exec(text) ?? [];
        const isPlain = host !== undefined && !host.includes('xn--');
        const found = plainLinkInHtml(text);
        const written = text.replaceAll('&amp;', '&');
        expect(found && [found.written, found.host]).toEqual(isPlain ? [written, host] : undefined);
      }),
      { numRuns: 2000 },
    );
  });
});

test('every plain link with a placeholder or a mark in its query has signs', () => {
  fc.assert(
    fc.property(link, (text) => {
      const found = plainLinkInHtml(text) ?? plainLink(text);
      const { written = '' } = found ?? {};
      const has = holdsPlaceholder(written) || isOptedOutByQuery(written);
      expect(found?.hasSigns === false && has).toBe(false);
    }),
    { numRuns: 2000, examples: [['https://a.ex/?no_jumpurl=1']] },
  );
});

test.each([
  ['of many megabytes', `https://a.example/${'&amp;a'.repeat(6_000_000)}`],
  ['with a host that no name server knows', `https://${'a.'.repeat(200)}example/`],
])('a link %s is not plain', (_, text) => {
  expect(plainLink(text)).toBe(undefined);
  expect(plainLinkInHtml(text)).toBe(undefined);
});

test('an ordinary link has no signs', () => {
  const text = 'https://www.a.example/x/1-y_z.html?utm_source=news&q=a+b';
  expect(plainLink(text)).toEqual({
    written: text,
    host: 'www.a.example',
    hasSigns: false,
  });
});
