import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { countYear, timeOf, VIEWS } from '../../helpers/year-of-counts.ts';
import { openStore } from './open-store.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

test('a view of a year of many campaigns takes as long as of one', async () => {
  const open = (keyPrefix: string) =>
    openStore({ url: redis.url, keyPrefix, commandTimeoutMs: 60_000 });
  const [one, many] = [open('one:'), open('many:')];
  await countYear(one.counters, 1);
  await countYear(many.counters, 300, 20);
  for (const [name, view] of Object.entries(VIEWS)) {
    const [alone, among] = [
      await timeOf(() => view(one.counters)),
      await timeOf(() => view(many.counters)),
    ];
    // An overview reads thirty days of tables, and those of the one campaign are of four.
    expect(among, name).toBeLessThan(6 * alone + 20);
  }
  // Nothing is left out: every message of a campaign is in its report.
  const { total } = await many.counters.report({ by: 'day', campaign: 'Newsletter 0' });
  expect(total).toMatchObject({ messages: 20, clicks: 10 });
  await Promise.all([one.close(), many.close()]);
}, 120_000);
