import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { openStore } from './open-store.ts';

let redis: Redis;
let store: RedisStore;
beforeAll(async () => {
  redis = await startRedis();
  store = openStore({ url: redis.url });
});
afterAll(async () => {
  await store?.close().catch(() => {});
  await redis?.stop();
});

const MESSAGES = 100;

/** One link of each of so many messages. */
async function sendAll(): Promise<string[]> {
  const tokens: string[] = [];
  for (let n = 0; n < MESSAGES; n++) {
    const issued = store.issuer.issue(exampleMessage());
    tokens.push(tokenOf(issued, { target: `https://shop.example/${n}`, part: 'html' }));
    await issued.commit();
  }
  return tokens;
}

/** How often Redis was asked for several keys at once. */
async function readsOf(server: Redis): Promise<number> {
  const stats = await server.cli('info', 'commandstats');
  return Number(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

test('look-ups that come together share commands, and each gets what it asked for', async () => {
  const tokens = await sendAll();
  const unknown = `1${'A'.repeat(23)}`;
  const before = await readsOf(redis);
  const found = await Promise.all(
    [...tokens, unknown].map((token) => store.resolver.resolve(token)),
  );
  expect(found.map((link) => link?.link.target)).toEqual([
    ...tokens.map((_, n) => `https://shop.example/${n}`),
    undefined,
  ]);
  const reads = (await readsOf(redis)) - before;
  expect(reads).toBeGreaterThan(1); // not one endless command either
  expect(reads).toBeLessThan(10);
});

test('all of them are told that Redis is away, and ask again later', async () => {
  const [token = ''] = await sendAll();
  await redis.kill();
  const asked = await Promise.allSettled([1, 2, 3].map(() => store.resolver.resolve(token)));
  expect(asked.map((one) => one.status === 'rejected' && one.reason)).toEqual(
    Array(3).fill(expect.any(StoreUnavailable)),
  );
  await redis.start(); // with nothing in it
  await expect.poll(() => store.resolver.resolve(token).catch(() => 'away')).toBeUndefined();
});

test('in a cluster, links of the other nodes work while the node of the block list is away', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  for (const node of cluster.nodes) {
    await node.cli('config', 'set', 'cluster-require-full-coverage', 'no');
  }
  const spread = openStore({ url: 'redis://unused', nodes: cluster.addresses });
  onTestFinished(() => spread.close());
  const away = await cluster.nodeOf('clickmilter:blocks:version');
  const tokens: string[] = [];
  while (tokens.length < 5) {
    const message = exampleMessage();
    const issued = spread.issuer.issue(message);
    const token = tokenOf(issued, { target: 'https://shop.example/', part: 'html' });
    await issued.commit();
    if ((await cluster.nodeOf(`clickmilter:m:${message.messageId}`)) !== away) tokens.push(token);
  }
  await away.kill();
  const found = await Promise.all(tokens.map((token) => spread.resolver.resolve(token)));
  expect(found.map((one) => one?.link.target)).toEqual(tokens.map(() => 'https://shop.example/'));
});
