import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromUtf8, toUtf8 } from '../../src/milter/milter.ts';

test('texts go out and come back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(fromUtf8(toUtf8(text))).toBe(text);
    }),
  );
});

test.each([
  ['gr\xc3\xbc\xc3\x9fe', 'grüße'],
  ['plain', 'plain'],
  ['latin1: \xfc', 'latin1: \ufffd'],
  ['', ''],
])('the bytes %j are the text %j', (bytes, text) => {
  expect(fromUtf8(bytes)).toBe(text);
});
