import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { poll } from '../../helpers/poll.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { outcome, save, works } from './attempts.ts';
import { type OpenOptions, openStore } from './open-store.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

async function redisServer(args: readonly string[] = []) {
  const redis = await startRedis({ args: ['--repl-diskless-sync-delay', '0', ...args] });
  open.push(redis);
  return redis;
}

const WAIT_MS = 400;
const TOO_FEW = `Redis HOST: record on 0 replicas after ${WAIT_MS} ms, 1 are asked for`;

/** A store that asks for a replica. */
function storeOn(options: OpenOptions & { readonly url: string }): RedisStore {
  const store = openStore({ waitReplicas: 1, waitTimeoutMs: WAIT_MS, ...options });
  open.push({ stop: () => store.close() });
  return store;
}

/** Saves that come bit by bit, so that most of them come while others are waited for. */
const saves = (store: RedisStore) =>
  Promise.all(
    [...Array(20).keys()].map(async (n) => {
      await sleep(n * 10);
      return outcome(save(store));
    }),
  );

test('a replica that is away holds up mail, but not those who follow links, nor their events', async () => {
  const redis = await redisServer();
  const token = await save(storeOn({ url: redis.url, waitReplicas: 0 }));
  const store = storeOn({ url: redis.url });
  const start = performance.now();
  const mail = saves(store);
  const delays: number[] = [];
  for (let n = 0; n < 5; n++) {
    await sleep(WAIT_MS / 10);
    const asked = performance.now();
    expect(await store.resolver.resolve(token)).toBeDefined();
    await store.events.stream.append(['{}']);
    delays.push(performance.now() - asked);
  }
  // Behind the mail, each would wait for the end of a wait.
  expect(Math.min(...delays)).toBeLessThan(WAIT_MS / 2);
  // What comes while one is waited for shares the next wait; one by one, they would take 20.
  expect(await mail).toEqual(Array(20).fill(TOO_FEW));
  expect(performance.now() - start).toBeLessThan(10 * WAIT_MS);
});

test('whoever has to wait for others first is told of the replicas too, not of a Redis that is silent', async () => {
  const redis = await redisServer();
  const store = storeOn({ url: redis.url, commandTimeoutMs: WAIT_MS / 2 });
  const first = outcome(save(store));
  await sleep(WAIT_MS / 4);
  expect(await Promise.all([first, outcome(save(store))])).toEqual([TOO_FEW, TOO_FEW]);
});

test('in a cluster, those of one server wait together as well', async () => {
  const cluster = await startCluster();
  open.push(cluster);
  const store = storeOn({ url: 'redis://unused', nodes: cluster.addresses });
  const start = performance.now();
  for (const result of await saves(store))
    expect(result).toContain(TOO_FEW.slice('Redis HOST: '.length));
  expect(performance.now() - start).toBeLessThan(10 * WAIT_MS);
});

test('in a cluster, a slot that has moved is found again', async () => {
  const cluster = await startCluster();
  open.push(cluster);
  const store = storeOn({
    url: 'redis://unused',
    nodes: cluster.addresses,
    keyPrefix: '{all}:',
    waitTimeoutMs: 50,
  });
  const arrives = async () => (await outcome(save(store))).includes('record on 0 replicas');
  await poll('records to arrive', arrives);
  const from = await cluster.nodeOf('{all}');
  const to = cluster.nodes.find((node) => node !== from);
  if (to === undefined) throw new Error('no other node');
  await cluster.moveSlot('{all}', to);
  await poll('records to arrive where the slot is now', arrives);
});

test('all that is saved at the same time is on the replica', async () => {
  const redis = await redisServer();
  const store = storeOn({ url: redis.url });
  const replica = await redisServer(['--replicaof', `127.0.0.1 ${redis.port}`]);
  await poll('the replica to be in sync', works(store));
  const before = Number(await replica.cli('dbsize'));
  expect(await saves(store)).toEqual(Array(20).fill('done'));
  expect(Number(await replica.cli('dbsize')) - before).toBe(20);
});

test('of both connections it is told as of one, and both are closed', async () => {
  const redis = await redisServer();
  const { logger, lines } = recordedLog();
  const store = openStore({
    url: redis.url,
    waitReplicas: 1,
    waitTimeoutMs: WAIT_MS,
    logger,
  });
  const connections = async () =>
    (await redis.cli('client', 'list')).match(/name=clickmilter/g)?.length ?? 0;
  await outcome(save(store));
  await store.events.stream.append(['{}']);
  expect(await connections()).toBe(2);
  await redis.kill();
  await poll('the loss', () => lines.length > 0);
  await redis.start();
  await poll('both to be back', async () => (await connections()) === 2);
  await poll('that to be told', () => lines.at(-1)?.message === 'Redis answers again');
  // A busy machine learns why it cannot connect, which is another reason.
  const reasons = lines.slice(0, -1).map(({ message, reason }) => `${message}: ${reason}`);
  expect(reasons).toEqual([...new Set(reasons)]);
  expect(lines.filter(({ message }) => message === 'Redis answers again')).toHaveLength(1);
  await store.close();
  await poll('both to be closed', async () => (await connections()) === 0);
});
