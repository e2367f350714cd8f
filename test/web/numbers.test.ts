import { afterEach, expect, test, vi } from 'vitest';
import { shownCount } from '../../src/web/numbers.ts';

afterEach(() => vi.restoreAllMocks());

test('whole numbers have commas as in English, without the tables of all languages', () => {
  const numbers = [0, 1, 999, 1000, 12_345, 123_456, 1_000_000, 9_007_199_254_740_991];
  const expected = numbers.map((number) => number.toLocaleString('en'));
  const slow = vi.spyOn(Number.prototype, 'toLocaleString');
  expect(numbers.map(shownCount)).toEqual(expected);
  expect(slow).not.toHaveBeenCalled();
});
