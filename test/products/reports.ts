import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportTable } from '../../src/commands/report.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { FileReport } from '../../src/store/local/report.ts';
import type { RedisConnection } from '../../src/store/redis/connection.ts';
import { DayCounts } from '../../src/store/redis/day-counts.ts';
import { Keys } from '../../src/store/redis/keys.ts';
import type { ReportBy } from '../../src/store/store.ts';
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
    day: day(i),
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
      counters.clicked(click);
      counters.sent({ day: click.day, campaign: click.campaign, links: 3 });
      if (at % 10_000 === 0) await counters.flush();
    }
    await counters.close();
    const report = await new FileReport(folder).report({ by });
    await rm(folder, { recursive: true });
    return reportTable(by, report, 120).length;
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
      const counts = new DayCounts({ keys: new Keys('x:') } as RedisConnection);
      for (let i = 0; i < n; i++) {
        const campaign = `${i % 200}${long(200)}`;
        counts.clicked({ day: '2026-01-01', campaign, messageId: 'm' }, `${i}`, 1, 1, 1);
      }
      await counts.format();
      return n;
    };
    return { bytes: n * 200, run };
  },
  'rows × columns': (n) => {
    const row = { messages: 1, links: 1, clicks: 1, rawClicks: 1, uniqueClicks: 1 };
    const rows = Array.from({ length: n }, (_, i) => ({ ...row, key: `${i}\u009b${long(50)}` }));
    const run = () =>
      reportTable('campaign', { rows, total: rows[0] ?? { key: '', ...row } }, 500).length;
    return { bytes: JSON.stringify(rows).length, run };
  },
};
