import { expect, test } from 'vitest';
import { addressOf, hoursOf, periodBefore, selectionOf } from '../../src/web/filters.ts';

const NOW = Date.parse('2026-03-10T23:59:59Z');

test.each([
  ['nothing', {}, { since: '2026-02-09', until: '2026-03-10' }],
  ['a last day', { until: '2026-01-31' }, { since: '2026-01-02', until: '2026-01-31' }],
  ['a first day', { since: '2026-03-10' }, { since: '2026-03-10', until: '2026-03-10' }],
  ['a tag', { tag: 'a' }, { since: '2026-02-09', until: '2026-03-10', tag: 'a' }],
])('%s', (_name, query, expected) => expect(selectionOf(query, NOW)).toEqual(expected));

test.each([
  [{ since: '2026-03-11' }, 'since is 2026-03-11: expected a day up to 2026-03-10'],
  [
    { campaign: 'a', tag: 'b' },
    'nothing is counted by campaign and tag together: expected one of them',
  ],
  [{ since: '2025-02-03' }, '2025-02-03 to 2026-03-10: expected at most 400 days'],
])('%j is refused', (query, message) => expect(() => selectionOf(query, NOW)).toThrow(message));

test.each([
  [
    { since: '2026-03-01', until: '2026-03-10' },
    { since: '2026-02-19', until: '2026-02-28' },
  ],
  [
    { since: '2024-03-01', until: '2024-03-01' },
    { since: '2024-02-29', until: '2024-02-29' },
  ],
])('the period before %j', (period, expected) => expect(periodBefore(period)).toEqual(expected));

test.each([
  [
    { since: '2026-01-01', until: '2026-03-10' },
    { since: '2026-02-25', until: '2026-03-10' },
  ],
  [
    { since: '2026-03-01', until: '2026-03-02' },
    { since: '2026-03-01', until: '2026-03-02' },
  ],
  [{ since: '2026-01-01', until: '2026-02-24' }, undefined],
])('the hours of %j', (period, expected) => expect(hoursOf(period, NOW)).toEqual(expected));

test('addresses hold any name', () => {
  const address = addressOf('/rows', { by: 'link', campaign: 'a&b=c#d \0<\ud800', tag: undefined });
  const { searchParams } = new URL(address, 'http://localhost');
  expect([...searchParams]).toEqual([
    ['by', 'link'],
    ['campaign', 'a&b=c#d \0<\ufffd'],
  ]);
});
