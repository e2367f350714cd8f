import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CountedFacts } from '../../src/link/counted.ts';
import {
  type ClickClass,
  type CountedClick,
  NotCounted,
  REPORT_BY,
  type ReportBy,
  type ReportFilter,
  type Reports,
} from '../../src/store/counters.ts';
import {
  breakdownsOf,
  countedNames,
  countsIn,
  daysKept,
  readLife,
} from '../../src/store/engagement.ts';
import { ReportSum } from '../../src/store/report-sum.ts';
import { MemoryCounters } from '../helpers/memory-store/counters.ts';

let counters: MemoryCounters;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-29T12:30:00Z') });
  counters = new MemoryCounters();
});
afterEach(() => vi.useRealTimers());

function sent(time: string, campaign: string, more = {}): void {
  counters.sent({ time: Date.parse(time), campaign, links: 2, ...more });
}

function click(
  time: string,
  campaign: string,
  more: Partial<CountedClick> = {},
  by: ClickClass = 'people',
): void {
  const usual = { messageId: 'm', link: 'Shop', part: 'html', count: 1 } as const;
  counters.book({ ...usual, time: Date.parse(time), campaign, ...more }, by);
}

test.each<[ReportFilter, ...ReportBy[]]>([
  [{}, ...REPORT_BY.filter((by) => by !== 'position')],
  [{ campaign: 'c' }, ...REPORT_BY],
  [{ pathway: 'p' }, 'campaign', 'link', 'pathway', 'day', 'hour'],
  [{ tag: '' }, 'campaign', 'link', 'tag', 'day', 'hour'],
])('of %o there are the breakdowns that reports give', async (filter, ...expected) => {
  expect(breakdownsOf(filter)).toEqual(expected);
  for (const by of REPORT_BY) {
    const sum = () => new ReportSum({ ...filter, by });
    if (expected.includes(by)) sum();
    else expect(sum).toThrow(NotCounted);
  }
});

test.each<[ReportBy, ReportFilter, number]>([
  ['hour', {}, 14],
  ['hour', { tag: 't' }, 14],
  ['hour', { campaign: 'c' }, 400],
  ['day', { pathway: 'p' }, 400],
])('by %s of %o goes back some days', (by, filter, days) => {
  expect(daysKept(by, filter)).toBe(days);
  expect(new ReportSum({ ...filter, by }).days).toHaveLength(days);
});

const LONG = 'x'.repeat(301);
test.each<ReportFilter>([
  {},
  { campaign: 'c' },
  { campaign: 'other' },
  { campaign: LONG },
  { campaign: '(other)' },
  { pathway: 'p' },
  { pathway: 'c' },
  { tag: 'a' },
  { tag: 'b' },
  { tag: 'c' },
])('%o lets through what its reports count', async (filter) => {
  const all: readonly CountedFacts[] = [
    { campaign: 'c', pathway: 'p', tags: ['a', 'b'] },
    { campaign: `${LONG}y` },
    { campaign: '(other)', tags: ['c'] },
    { pathway: 'c' },
    {},
  ];
  for (const facts of all) counters.sent({ time: Date.now(), links: 1, ...facts });
  const { total } = await counters.report({ by: 'day', ...filter });
  expect(all.map(countedNames).filter(countsIn(filter))).toHaveLength(total.messages ?? 0);
});

describe('a campaign', () => {
  const ages = async () => {
    const { began, ages: all = [] } = (await readLife(counters, 'c')) ?? {};
    return { began, rows: all.map(({ from, to, peopleClicks }) => [from, to, peopleClicks]) };
  };

  test('is told in hours since its first message, and in days after two weeks', async () => {
    sent('2026-10-01T08:15Z', 'c');
    click('2026-10-01T08:20Z', 'c');
    click('2026-10-01T10:59Z', 'c', { count: 2 });
    click('2026-10-14T23:00Z', 'c', { count: 3 });
    click('2026-10-15T05:00Z', 'c', { count: 4 });
    sent('2026-11-20T08:00Z', 'c');
    expect(await ages()).toEqual({
      began: '2026-10-01T08',
      rows: [
        [0, 1, 1],
        [2, 3, 2],
        [327, 328, 3],
        [328, 352, 4],
        [1192, 1216, 0],
      ],
    });
  });

  test('is told in days where the hours of its first day are gone', async () => {
    sent('2026-11-20T08:15Z', 'c');
    click('2026-11-21T08:20Z', 'c');
    const daily: Reports = {
      report: (query) =>
        counters.report(query.by === 'hour' ? { ...query, since: '2026-11-21' } : query),
      clicksOf: async () => [],
    };
    expect(await readLife(daily, 'c')).toMatchObject({
      began: '2026-11-20',
      ages: [
        { from: 0, to: 24, messages: 1 },
        { from: 24, to: 48, peopleClicks: 1 },
      ],
    });
  });

  test('of which nothing is known has no beginning', async () => {
    expect(await readLife(counters, 'c')).toBeUndefined();
  });
});
