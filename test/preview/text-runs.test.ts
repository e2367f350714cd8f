import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sanitise } from '../../src/preview/safe-html.ts';
import { merge } from '../../src/preview/text-runs.ts';
import { skeletonOf } from './newsletter-copy.ts';

const A = '<a href="link:0">Shop</a>';

describe('merging', () => {
  test('keeps what two copies share, and leaves a run of about the length of other text', () => {
    const one = skeletonOf(`<p title="Anna">Dear Anna,</p><p>Our offers</p>${A}`);
    const other = skeletonOf(`<p title="Bartholomew">Dear Bartholomew,</p><p>Our offers</p>${A}`);
    const merged = merge(one, other) ?? '';
    expect(merged).toBe(one.replace('Dear Anna,', '████████ ████████ ████████ ████████'));
    expect(merge(merged, one)).toBe(merged);
  });

  test('drops an attribute that differs, and keeps the others', () => {
    const one = skeletonOf(`<p align="left" style="width:70%">x</p>${A}`);
    const other = skeletonOf(`<p align="left" style="width:30%">x</p>${A}`);
    expect(merge(one, other)).toBe(one.replace(' style="width:70%"', ''));
  });

  test.each([
    ['other elements', `<p>x</p>${A}`, `<div>x</div>${A}`],
    ['another place of a link', `<p>x</p>${A}`, `<p>x</p>${A.replace('0', '1')}`],
    ['more of them', A, `<p>x</p>${A}`],
  ])('refuses %s', (_, one, other) => {
    expect(merge(skeletonOf(one), skeletonOf(other))).toBeUndefined();
  });

  test('gives the same in any order, and its result is as the sanitiser writes it', () => {
    const word = fc.constantFrom('Anna', 'Bob', 'of the week', '<&">', '', 'x'.repeat(40));
    const style = fc.constantFrom('color:red', 'width:70%', '');
    const copy = fc
      .array(fc.tuple(word, style), { minLength: 3, maxLength: 3 })
      .map((parts) =>
        parts.map(([text, css]) => `<p style="${css}">${text.replace('<', '&lt;')}</p>`).join(''),
      )
      .map((html) => skeletonOf(html + A));
    fc.assert(
      fc.property(copy, copy, copy, (a, b, c) => {
        const all = (...skeletons: string[]) =>
          skeletons.reduce((sum, one) => merge(sum, one) ?? 'no', skeletons[0] ?? '');
        const merged = all(a, b, c);
        expect(all(c, b, a)).toBe(merged);
        expect(all(b, a, c)).toBe(merged);
        expect(all(merged, a)).toBe(merged);
        expect(sanitise(merged)).toBe(merged);
      }),
    );
  });
});

/** Words of one recipient's copy: no other text of the documents has a letter of them. */
const secretWord = (letters: string) =>
  fc.string({ unit: fc.constantFrom(...letters), minLength: 3, maxLength: 30 });

describe('of whatever two copies hold', () => {
  const place = fc.constantFrom<(word: string) => string>(
    (word) => `<p>${word}</p>`,
    (word) => `Dear ${word}, welcome`,
    (word) => `<b title="${word}" id=${word} class="${word}">x</b>`,
    (word) => `<img alt="${word}" src="https://x.example/${word}" width=10>`,
    (word) => `<p style="font-family:'${word}';color:${word};width:${word}">x</p>`,
    (word) => `<p style="x:url('${word}')" dir=${word} lang="${word}">x</p>`,
    (word) => `<!-- ${word} --><!--[if mso]>${word}<![endif]-->`,
    (word) => `<style>.${word}{}</style><script>${word}</script><title>${word}</title>`,
    (word) => `<div style="display:none">${word}</div><input value="${word}">`,
    (word) => `<a href="https://x.example/${word}" name="${word}">x</a>`,
    (word) => `<table><tr><td>${word}<td>x<tr>${word}</table>`,
    (word) => `<svg><text>${word}</text></svg><math>${word}</math><select><option>${word}</select>`,
    (word) => `<x-${word} ${word}="${word}">${word}</x-${word}>`,
    (word) => `<textarea>${word}</textarea><noscript>${word}</noscript><iframe>${word}</iframe>`,
    (word) => `<a title='"><p>${word}'>${word}<div><a>${word}`,
    (word) => `&lt;p title="${word}"&gt; &amp;${word}; <${word}>`,
  );

  test('text that differs is in no skeleton', () => {
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 1, maxLength: 8 }),
        secretWord('ÄÖÜß'),
        secretWord('ЖЩЫ'),
        (places, mine, yours) => {
          const copy = (word: string) => skeletonOf(places.map((at) => at(word)).join('\n') + A);
          const merged = merge(copy(mine), copy(yours));
          // Text may make elements of another name: such copies are not of one newsletter.
          expect(merged ?? '').not.toMatch(/[ÄÖÜßЖЩЫ]/i);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('no token is in a skeleton, though both copies have it', () => {
    const token = fc
      .string({ unit: fc.constantFrom(...'abcXYZ019-_'), minLength: 22, maxLength: 60 })
      .map((text) => `1${text}9`);
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 8 }), token, (places, word) => {
        const copy = skeletonOf(places.map((at) => at(word)).join('\n') + A);
        expect((merge(copy, copy) ?? '').toLowerCase()).not.toContain(word.toLowerCase());
      }),
      { numRuns: 300 },
    );
  });
});
