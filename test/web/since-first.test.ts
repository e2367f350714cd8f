import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noNumbers } from '../../src/store/counting.ts';
import type { AgeRow } from '../../src/store/engagement.ts';
import { sinceFirst } from '../../src/web/since-first.ts';

/** The row of an age: of an hour, if not of a day. */
const age = (from: number, people: number, automatic = 0, to = from + 1): AgeRow => ({
  ...noNumbers(),
  key: '',
  from,
  to,
  clicks: people + automatic,
  peopleClicks: people,
  automaticClicks: automatic,
});
const sums = (rows: readonly AgeRow[]) =>
  sinceFirst(rows).map((row) => [row.hours, row.people_clicked, row.automatic_clicked]);

test('clicks add up from the first message to the last click', () => {
  expect(sums([age(0, 1, 5), age(1, 2), age(5, 4, 1)])).toEqual([
    [1, 1, 5],
    [2, 3, 5],
    [3, 3, 5],
    [4, 3, 5],
    [6, 7, 6],
  ]);
});

test('one hour, one day, and none', () => {
  expect(sums([age(0, 2)])).toEqual([[1, 2, 0]]);
  expect(sums([age(0, 2, 0, 24)]).at(-1)).toEqual([24, 2, 0]);
  expect(sums([])).toEqual([]);
});

test('each sum is of the ages before its mark, and the last one is of all', () => {
  const rows = fc
    .uniqueArray(fc.integer({ min: 1, max: 9_599 }), { maxLength: 50 })
    .map((hours) => hours.sort((a, b) => a - b).map((after) => age(after, after % 7, 1)));
  fc.assert(
    fc.property(rows, (later) => {
      const all = [age(0, 1, 1), ...later];
      const made = sinceFirst(all);
      for (const { hours, people_clicked } of made) {
        const before = all.filter(({ from }) => from < hours);
        expect(people_clicked).toBe(before.reduce((sum, row) => sum + row.peopleClicks, 0));
      }
      expect(made.at(-1)?.automatic_clicked).toBe(all.length);
    }),
  );
});
