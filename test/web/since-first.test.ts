import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Row } from '../../src/web/schemas.ts';
import { sinceFirst } from '../../src/web/since-first.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-03-01T05:00Z');

/** A row of the hour that begins so many hours after START. */
const hour = (after: number, people: number, automatic = 0, messages = 0): Row => ({
  key: new Date(START + after * HOUR).toISOString().slice(0, 13),
  messages,
  links: messages,
  count_clicked: people + automatic,
  count_raw_clicked: 0,
  count_unique_clicked: 0,
  people_clicked: people,
  people_raw_clicked: 0,
  people_unique_clicked: 0,
  automatic_clicked: automatic,
  unknown_clicked: 0,
});
const sums = (rows: readonly Row[]) =>
  sinceFirst(rows).map((row) => [row.hours, row.people_clicked, row.automatic_clicked]);

test('clicks add up from the hour of the first message to the last click', () => {
  expect(sums([hour(0, 9), hour(3, 1, 5, 100), hour(4, 2), hour(8, 4, 1)])).toEqual([
    [1, 1, 5],
    [2, 3, 5],
    [3, 3, 5],
    [4, 3, 5],
    [6, 7, 6],
  ]);
});

test('one hour, and none', () => {
  expect(sums([hour(0, 2, 0, 1)])).toEqual([[1, 2, 0]]);
  expect(sums([hour(0, 2)])).toEqual([]);
  expect(sums([])).toEqual([]);
});

test('each sum is of the hours before its mark, and the last one is of all', () => {
  const rows = fc
    .uniqueArray(fc.integer({ min: 1, max: 9_599 }), { maxLength: 50 })
    .map((hours) => hours.sort((a, b) => a - b).map((after) => hour(after, after % 7, 1)));
  fc.assert(
    fc.property(rows, (later) => {
      const all = [hour(0, 1, 1, 1), ...later];
      const made = sinceFirst(all);
      for (const { hours, people_clicked } of made) {
        const until = new Date(START + hours * HOUR).toISOString().slice(0, 13);
        const before = all.filter(({ key }) => key < until);
        expect(people_clicked).toBe(before.reduce((sum, row) => sum + row.people_clicked, 0));
      }
      expect(made.at(-1)?.automatic_clicked).toBe(all.length);
    }),
  );
});
