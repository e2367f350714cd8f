import { afterEach, expect, test } from 'vitest';
import { poll } from '../helpers/poll.ts';
import { startCluster } from '../helpers/redis-cluster.ts';
import { startSentinels } from '../helpers/redis-sentinel.ts';
import { outcome, save, startTraffic, works } from './attempts.ts';
import { openStore } from './open-store.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

async function sentinels() {
  const setup = await startSentinels();
  open.push(setup);
  const store = openStore({
    url: 'redis://unused',
    sentinels: setup.sentinels,
    sentinelName: setup.name,
    waitReplicas: 0,
  });
  open.push({ stop: () => store.close() });
  return { setup, store };
}

async function cluster() {
  const setup = await startCluster();
  open.push(setup);
  const store = openStore({ url: 'redis://unused', nodes: setup.addresses });
  open.push({ stop: () => store.close() });
  return { setup, store };
}

test('Sentinel: the master is killed in the middle of traffic, and mail goes on with the new one', async () => {
  const { setup, store } = await sentinels();
  const traffic = startTraffic(store);
  await poll('some traffic', () => traffic.outcomes.length > 200);
  await setup.master.kill();
  await poll('failures', () => traffic.outcomes.some((text) => text !== 'done'));
  const saved = traffic.tokens.length;
  await poll('traffic through the new master', () => traffic.tokens.length > saved + 200, 30_000);
  await traffic.stop();
  expect(await setup.replica.cli('role')).toMatch(/^master/);
  const last = traffic.tokens.at(-1) ?? '';
  expect(await store.resolver.resolve(last)).toBeDefined();
});

test('Sentinel: a planned failover loses nothing that replicas have acknowledged', async () => {
  const { setup, store: _ } = await sentinels();
  const store = openStore({
    url: 'redis://unused',
    sentinels: setup.sentinels,
    sentinelName: setup.name,
    waitReplicas: 1,
    waitTimeoutMs: 300,
  });
  open.push({ stop: () => store.close() });
  const traffic = startTraffic(store);
  await poll('some traffic', () => traffic.tokens.length > 200);
  await setup.failover();
  // Sentinel ends every connection to a server whose role changes, also that of redis-cli.
  await poll('the replica to become the master', async () =>
    (await setup.replica.cli('role').catch(() => '')).startsWith('master'),
  );
  const saved = traffic.tokens.length;
  await poll(
    'traffic with the old master as replica',
    () => traffic.tokens.length > saved + 200,
    30_000,
  );
  await traffic.stop();
  for (const token of traffic.tokens) expect(await store.resolver.resolve(token)).toBeDefined();
});

test('cluster: a slot moves to another node in the middle of traffic, and nobody notices', async () => {
  const { setup, store } = await cluster();
  const token = await save(store);
  const key = `clickmilter:m:${token.slice(1, 17)}`;
  const from = await setup.nodeOf(key);
  const to = setup.nodes.find((node) => node !== from) ?? from;
  const traffic = startTraffic(store);
  await poll('some traffic', () => traffic.outcomes.length > 100);
  await setup.moveSlot(key, to);
  expect(await setup.nodeOf(key)).toBe(to);
  expect(await outcome(store.resolver.resolve(token))).toBe('done');
  expect(await store.resolver.resolve(token)).toBeDefined();
  await traffic.stop();
  expect(traffic.outcomes.filter((text) => text !== 'done')).toEqual([]);
});

test('cluster: a node is lost (CLUSTERDOWN), and all is well when it is back', async () => {
  const { setup, store } = await cluster();
  await poll('the store to be there', works(store));
  const [node] = setup.nodes;
  await node?.kill();
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => outcome(save(store))));
  expect(outcomes.some((text) => text !== 'done')).toBe(true);
  await poll('the others to say so', async () =>
    (await setup.nodes[1]?.cli('cluster', 'info'))?.includes('cluster_state:fail'),
  );
  expect(await outcome(save(store))).not.toBe('done');
  await node?.start();
  await poll('twenty messages in a row', async () => {
    const again = await Promise.all(Array.from({ length: 20 }, () => outcome(save(store))));
    return again.every((text) => text === 'done');
  });
});
