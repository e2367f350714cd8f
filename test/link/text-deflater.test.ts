import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextDeflater } from '../../src/link/text-deflater.ts';
import { newsletter } from '../helpers/newsletter.ts';

const dictionary = Buffer.from('a few words: https://www.example.com/ and &utm_source=newsletter');
const deflater = new TextDeflater(dictionary);

/** What zlib makes of what was made of a text. */
function there(...texts: readonly string[]): string {
  const packed = deflater.deflate(texts, 7);
  expect(packed[0]).toBe(7);
  return inflateRawSync(packed.subarray(1), { dictionary }).toString();
}

describe('zlib reads what was deflated', () => {
  test('whatever it is', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.constantFrom('https://www.example.com/', '&utm_source=newsletter', 'xxxxxxxxxxxxxx', '\n'),
      fc.webUrl(),
    );
    const times = fc.nat(600);
    fc.assert(
      fc.property(fc.array(fc.tuple(piece, times), { maxLength: 30 }), (pieces) => {
        const texts = pieces.map(([some, often]) => some.repeat(1 + (often % 7) * often));
        expect(there(...texts)).toBe(texts.map((text) => Buffer.from(text).toString()).join(''));
      }),
    );
  });

  test('of every length about the limits of a match, a short text and the window', () => {
    const around = [0, 4, 258, 1_000, 32_768 - dictionary.length, 40_000];
    for (const length of around.flatMap((middle) =>
      [-3, -2, -1, 0, 1, 2, 3].map((d) => middle + d),
    )) {
      if (length < 0) continue;
      for (const text of ['x'.repeat(length), noise(length)]) {
        expect(there(text) === text).toBe(true);
      }
    }
  });

  test('with every character there is', () => {
    const all = Array.from({ length: 0xd800 }, (_, code) => String.fromCharCode(code));
    for (let at = 0; at < all.length; at += 5_000) {
      const text = all.slice(at, at + 5_000).join('');
      expect(there(text) === text).toBe(true);
    }
  });
});

test('it comes near to what zlib makes of the links of a newsletter', () => {
  const text = newsletter({ links: 38 }).links.join('\n');
  const packed = deflater.deflate([text], 1);
  expect(packed.length / text.length).toBeLessThan(0.2);
});

/** Characters without any repetition to speak of. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return String.fromCharCode(33 + ((state >>> 16) % 94));
  }).join('');
}
