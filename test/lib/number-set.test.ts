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
      const wrong = numbers.filter((one) => {
        const isHeld = oracle.has(one);
        oracle.add(one);
        return set.has(one) !== isHeld || set.add(one) === isHeld;
      });
      expect(wrong).toEqual([]);
      expect(set.size).toBe(oracle.size);
    }),
  );
});

test('grows, and keeps numbers and their opposites apart', () => {
  const set = new NumberSet();
  const numbers = Array.from({ length: 50_000 }, (_, n) => (n + 1) * 0x1_0001);
  expect(numbers.every((number) => set.add(number))).toBe(true);
  expect(numbers.every((number) => set.has(number))).toBe(true);
  expect(set.has(-0x1_0001)).toBe(false);
  expect(set.size).toBe(50_000);
});
