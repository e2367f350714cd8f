import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Counters } from '../../../src/store/counters.ts';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import { countYear, timeOf, VIEWS } from '../../helpers/year-of-counts.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-views-'));
});
afterEach(() => rm(folder, { recursive: true }));

function open(name: string): Counters {
  const counters = new FileCounters({ folder: join(folder, name), flushMs: 60_000 });
  const reports = new FileReport(join(folder, name));
  return {
    sent: (message) => counters.sent(message),
    book: (click, by) => counters.book(click, by),
    portion: () => counters.portion(),
    count: (portion) => counters.count(portion),
    flush: () => counters.flush(),
    sumUp: async () => {},
    report: (query) => reports.report(query),
    clicksOf: (...link) => reports.clicksOf(...link),
  };
}

test('once files are read, five times the campaigns of a year make no view slow', async () => {
  const [few, many] = [open('few'), open('many')];
  await countYear(few, 150, 20);
  await countYear(many, 750, 20);
  for (const [name, view] of Object.entries(VIEWS)) {
    const [before, after] = [await timeOf(() => view(few)), await timeOf(() => view(many))];
    expect(after, name).toBeLessThan(4 * before + 50);
  }
  // The reports of a view look for new counts together: in turn, they would take as long as each alone.
  const one = () => many.report({ by: 'day', since: '2026-01-01', until: '2026-01-01' });
  const [alone, together] = [
    await timeOf(async () => (await one()).rows.length),
    await timeOf(async () => (await Promise.all(Array.from({ length: 20 }, one))).length),
  ];
  expect(together).toBeLessThan(5 * alone + 10);
  const { total } = await many.report({ by: 'day', campaign: 'Newsletter 0' });
  expect(total).toMatchObject({ messages: 20, clicks: 10 });
});
