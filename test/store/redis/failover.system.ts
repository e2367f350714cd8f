import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { EventReader } from '../../../src/store/events.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { poll } from '../../helpers/poll.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { startSentinels } from '../../helpers/redis-sentinel.ts';
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

const event = (n: number) => `{"msys":{"track_event":{"n":${n}}}}`;

/** Clicks one after another, until told to stop; gives those that were kept. */
function startClicks(store: RedisStore) {
  const kept: string[] = [];
  let stopped = false;
  const clicking = (async () => {
    for (let n = 0; !stopped; n++) {
      if ((await outcome(store.events.stream.append([event(n)]))) === 'done') kept.push(event(n));
      await sleep(20);
    }
  })();
  const stop = async () => {
    stopped = true;
    await clicking;
  };
  open.push({ stop });
  return { kept, stop };
}

/** All that a reader, or a consumer, gives, as it comes. */
function startFollowing(reader: EventReader): ReadonlySet<string> {
  const seen = new Set<string>();
  let stopped = false;
  const following = (async () => {
    while (!stopped) {
      const events = await reader.next(100, 1_000).catch(() => sleep(100, []));
      for (const { event } of events) seen.add(event);
    }
  })();
  open.push({
    stop: async () => {
      stopped = true;
      await following;
      await reader.close();
    },
  });
  return seen;
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

test('Sentinel: the master hangs, and wakes up when it is none any more: no click is missed', async () => {
  const { setup, store } = await sentinels();
  const followers = {
    reader: startFollowing(store.events.openReader('oldest')),
    consumer: startFollowing(store.events.openConsumer({ group: 'g', name: 'a' })),
  };
  const clicks = startClicks(store);
  const allSeen = () =>
    Object.values(followers).every((seen) => clicks.kept.every((click) => seen.has(click)));
  await poll('some clicks', () => clicks.kept.length > 20 && allSeen());
  const before = clicks.kept.length;
  setup.master.pause();
  await poll('clicks at the new master', () => clicks.kept.length > before + 20);
  await poll('the followers to see them', allSeen);
  setup.master.resume();
  await poll('the old master to follow the new one', async () =>
    (await setup.master.cli('role').catch(() => '')).startsWith('slave'),
  );
  await poll('more clicks', () => clicks.kept.length > before + 200);
  await clicks.stop();
  await poll('the followers to see all', allSeen);
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

test('cluster: a master hangs, and its replica takes over', async () => {
  const { setup, store } = await cluster();
  const master = await setup.nodeOf('clickmilter:events');
  const replica = await setup.addReplica(master);
  const tokens = await Promise.all(Array.from({ length: 30 }, () => save(store)));
  const seen = startFollowing(store.events.openReader('oldest'));
  await store.events.stream.append([event(1)]);
  await poll('the first click', () => seen.has(event(1)));
  await poll('the replica to have all', async () => {
    return (await replica.cli('dbsize')) === (await master.cli('dbsize'));
  });
  master.pause();
  // All of these go to the node that hangs: no other one says where they should go.
  const append = async () => (await outcome(store.events.stream.append([event(2)]))) === 'done';
  await poll('clicks to be kept', append);
  expect(await replica.cli('role')).toMatch(/^master/);
  for (const token of tokens) expect(await store.resolver.resolve(token)).toBeDefined();
  await Promise.all(tokens.map(() => save(store)));
  await poll('the second click', () => seen.has(event(2)));
});
