import { join } from 'node:path';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { countYear, timeOf, VIEWS } from '../../helpers/year-of-counts.ts';
import { openStore } from '../../store/redis/open-store.ts';
import type { Bench, Part, Row } from '../harness.ts';

/** Milliseconds that a view may take. */
const AT_MOST = 300;

/** What a page of reports waits for: with a year of 1,000 campaigns, and with one campaign. */
export const reports: Part = {
  name: 'reports',
  async run(bench) {
    const { url } = await bench.redis();
    const stores: readonly (readonly [string, (keyPrefix: string) => Store])[] = [
      ['Redis', (keyPrefix) => openStore({ url, keyPrefix })],
      ['files', (name) => localStore(join(bench.dir, name))],
    ];
    const rows: Row[] = [];
    for (const [where, open] of stores) rows.push(...(await compare(bench, where, open)));
    return rows;
  },
};

async function compare(bench: Bench, where: string, open: (name: string) => Store): Promise<Row[]> {
  const many = bench.options.quick ? 10 : 1_000;
  const [one, year] = [open('one'), open('year')];
  await countYear(one.counters, 1);
  await countYear(year.counters, many);
  const rows: Row[] = [];
  for (const [view, read] of Object.entries(VIEWS)) {
    const [alone, among] = [
      await timeOf(() => read(one.counters)),
      await timeOf(() => read(year.counters)),
    ];
    rows.push({
      what: `${view} from ${where}, a year of ${many.toLocaleString('en')} campaigns`,
      ours: { who: 'a view', value: among, unit: 'ms' },
      beside: {
        who: `of one campaign alone (${(among / alone).toFixed(1)} times that)`,
        value: alone,
        unit: 'ms',
      },
      ratio: among,
      goal: { atMost: AT_MOST },
    });
  }
  await Promise.all([one.close(), year.close()]);
  return rows;
}

function localStore(journal: string): Store {
  const events = {
    ...eventsDefaults,
    journal,
    blockList: `${journal}.blocks`,
    optOuts: `${journal}.optouts`,
  };
  return createLocalStore({ events }, silent, noMetrics);
}
