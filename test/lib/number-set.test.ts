import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NumberSet } from '../../src/lib/number-set.ts';

test('holds what a Set holds', () => {
  const number = fc.oneof(
    fc.integer({ min: 1, max: 50 }),
    fc.maxSafeInteger().filter((n) => n !== 0),
  );
  fc.assert(
    fc.property(fc.array(number, { maxLength: 3000 }), (numbers) => {
      const [set, oracle] = [new NumberSet(), new Set<number>()];
      for (const one of numbers) {
        expect(set.has(one)).toBe(oracle.has(one));
        expect(set.add(one)).toBe(!oracle.has(one));
        oracle.add(one);
      }
      expect(set.size).toBe(oracle.size);
    }),
  );
});

test('grows, and keeps numbers and their opposites apart', () => {
  const set = new NumberSet();
  for (let n = 1; n <= 50_000; n++) expect(set.add(n * 0x1_0001)).toBe(true);
  for (let n = 1; n <= 50_000; n++) expect(set.has(n * 0x1_0001)).toBe(true);
  expect(set.has(-0x1_0001)).toBe(false);
  expect(set.size).toBe(50_000);
});
