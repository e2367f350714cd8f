import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandUrl, shortenUrl } from '../../src/link/url-shorthand.ts';

const upper = Array.from({ length: 128 }, (_, i) => 128 + i);

test('any ASCII text comes back, and is never longer', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 300 });
  fc.assert(
    fc.property(fc.oneof(ascii, fc.webUrl({ withQueryParameters: true })), (url) => {
      const short = shortenUrl(url);
      expect(short.length).toBeLessThanOrEqual(url.length);
      expect(expandUrl(short)).toBe(url);
    }),
  );
});

test('a usual link is a third as long', () => {
  const url = 'https://www.shop.example/autumn/coats?utm_source=newsletter&utm_medium=email';
  expect([url.length, shortenUrl(url).length]).toEqual([76, 23]);
});

/** Tokens in inboxes hold these bytes: what one stands for must not change, only the end of the list may grow. */
test('what each byte stands for', () => {
  const pieces = upper.map((byte) => expandUrl(Buffer.of(byte)));
  const known = pieces.filter((piece) => piece !== undefined);
  expect(known).toHaveLength(126);
  expect(new Set(known).size).toBe(126);
  expect(
    createHash('sha256').update(known.join('\n')).digest('hex').slice(0, 16),
  ).toMatchInlineSnapshot(`"d0e30e6fef4ed320"`);
});
