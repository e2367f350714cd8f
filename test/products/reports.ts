import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportTable } from '../../src/commands/report-table.ts';
import type { ReportBy } from '../../src/store/counters.ts';
import { noNumbers } from '../../src/store/counting.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { FileReport } from '../../src/store/local/report.ts';
import { Tallies } from '../../src/store/tallies.ts';
import { settle } from '../helpers/settle.ts';
import type { Load, Product } from './growth.ts';

interface Clicks {
  readonly count: number;
  readonly campaign?: (index: number) => string;
  readonly link?: (index: number) => string;
  readonly day?: (index: number) => string;
}

/** Clicks that are counted, written and reported. */
function counted(
  by: ReportBy,
  { count, campaign = () => 'c', link = () => 'l', day = () => '2026-01-01' }: Clicks,
): Load {
  const clicks = Array.from({ length: Math.ceil(count) }, (_, i) => ({
    time: Date.parse(day(i)),
    part: 'html' as const,
    messageId: `${i}`.padStart(16, 'M'),
    campaign: campaign(i),
    link: link(i),
    count: 1,
  }));
  const bytes = JSON.stringify(clicks).length;
  const run = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-products-'));
    const counters = new FileCounters({ folder, flushMs: 60_000 });
    for (const [at, click] of clicks.entries()) {
      counters.book(click, at % 2 ? 'people' : 'automatic');
      counters.sent({ time: click.time, campaign: click.campaign, links: 3 });
      if (at % 10_000 === 0) await settle(counters);
    }
    await settle(counters);
    await counters.close();
    const report = await new FileReport(folder).report({ by, until: '2026-12-31' });
    await rm(folder, { recursive: true });
    return reportTable(by, report, false, 120).length;
  };
  return { bytes, run };
}

const long = (n: number) => 'x'.repeat(n);
const dayOf = (index: number) => new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10);

/** Clicks that are counted and reported: mail chooses campaigns, names and links, and readers the clicks. */
export const products: Readonly<Record<string, Product>> = {
  'clicks × messages': (n) => counted('campaign', { count: n }),
  'campaigns × clicks': (n) => counted('campaign', { count: n / 2, campaign: (i) => `${i}` }),
  'links × clicks': (n) => counted('link', { count: n / 2, link: (i) => `${i}` }),
  'campaigns × links': (n) =>
    counted('link', { count: n / 2, campaign: (i) => `${i % 100}`, link: (i) => `${i}` }),
  'campaigns × days': (n) =>
    counted('campaign', { count: n / 2, campaign: (i) => `${i}`, day: (i) => dayOf(i % 100) }),
  'days × rows': (n) => counted('day', { count: n / 2, day: (i) => dayOf(i % 365) }),
  'bytes of a campaign × clicks': (n) =>
    counted('campaign', { count: n / 100, campaign: (i) => `${i}${long(n / 10)}` }),
  'bytes of a link × clicks': (n) =>
    counted('link', { count: n / 100, link: (i) => `${i}${long(n / 10)}` }),
  'campaigns × links of a tally': (n) => {
    const run = async () => {
      const tallies = new Tallies(1e6);
      for (let i = 0; i < n; i++) {
        const facts = { campaign: `${i % 200}${long(200)}`, pathway: '', recipientDomain: '' };
        const when = { day: '2026-01-01', hour: '2026-01-01T00' };
        const link = { label: `${i}`, part: 'html' };
        tallies.add({ ...facts, ...when, tags: [], link }, { clicks: 1 });
      }
      return n;
    };
    return { bytes: n * 200, run };
  },
  'rows × columns': (n) => {
    const row = { ...noNumbers(), messages: 1, clicks: 1, peopleClicks: 1 };
    const rows = Array.from({ length: n }, (_, i) => ({ ...row, key: `${i}\u009b${long(50)}` }));
    const run = () =>
      reportTable('campaign', { rows, total: rows[0] ?? { key: '', ...row } }, false, 500).length;
    return { bytes: JSON.stringify(rows).length, run };
  },
};
