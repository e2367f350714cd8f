import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Client } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Logger, silent } from '../../../src/lib/logger.ts';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { freePort } from '../../helpers/free-port.ts';
import { poll } from '../../helpers/poll.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { nextPortionId } from '../../helpers/settle.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { outcome, save, startTraffic, works } from './attempts.ts';
import { openStore, TIMEOUT_MS } from './open-store.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

async function redisServer(options: Parameters<typeof startRedis>[0] = {}): Promise<Redis> {
  const redis = await startRedis(options);
  open.push(redis);
  return redis;
}

function storeOn(url: string, logger: Logger = silent): RedisStore {
  const store = openStore({ url, logger });
  open.push({ stop: () => store.close() });
  return store;
}

test('a database that is refused is no other one', async () => {
  const redis = await redisServer();
  const store = storeOn(`${redis.url}/99`);
  const saves = Array.from({ length: 20 }, () => outcome(save(store)));
  for (const said of await Promise.all(saves)) {
    expect(said).toBe(
      'Redis HOST: ERR DB index is out of range (it has no such database: see redis { url database })',
    );
  }
  expect(await redis.cli('dbsize')).toBe('0');
});

test.each([
  ['is a replica', ['replicaof', '127.0.0.1', '1'], 'READONLY'],
  ['is full', ['config', 'set', 'maxmemory', '1'], 'OOM'],
  ['lacks replicas', ['config', 'set', 'min-replicas-to-write', '1'], 'NOREPLICAS'],
  ['allows no writes', ['acl', 'setuser', 'default', '-@write'], 'NOPERM'],
])('a Redis that %s refuses writes, although it answers', async (_, command, reason) => {
  const redis = await redisServer({ args: ['--maxmemory-policy', 'noeviction'] });
  const store = storeOn(redis.url);
  const own = { fingerprint: 'x', announceAs: 'mx1' };
  expect((await store.health(own)).failures).toEqual([]);
  await redis.cli(...command);
  const { facts, failures } = await store.health(own);
  expect(facts).toEqual([expect.stringMatching(/^Redis \d/)]);
  expect(failures).toEqual([
    expect.stringMatching(`: ${reason} .*: it refuses writes, so on_failure`),
  ]);
});

test('a Redis that does not let us ask for INFO works, and is said to be unknown', async () => {
  const redis = await redisServer();
  await redis.cli('acl', 'setuser', 'default', '-info');
  const { facts, failures, unknown } = await storeOn(redis.url).health();
  expect(facts).toEqual([expect.stringMatching(/^Redis answers in /)]);
  expect(failures).toEqual([]);
  expect(unknown).toEqual([expect.stringContaining('an ACL user needs +info')]);
});

describe('what a store does while Redis …, and that it comes back by itself', () => {
  test('is killed in the middle of traffic', async () => {
    const redis = await redisServer({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const { logger, lines } = recordedLog();
    const store = storeOn(redis.url, logger);
    const saved = await save(store);

    const traffic = startTraffic(store);
    await poll('some traffic', () => traffic.outcomes.length > 100);
    await redis.kill();
    await poll('failures', () => traffic.outcomes.at(-1) !== 'done');
    await poll('commands to fail at once', async () => {
      const start = performance.now();
      await outcome(save(store));
      return performance.now() - start < TIMEOUT_MS / 2;
    });
    await traffic.stop();
    expect(await outcome(save(store))).toContain('Redis HOST: connect ECONNREFUSED');
    expect(await outcome(store.resolver.resolve(saved))).toContain('ECONNREFUSED');

    await redis.start();
    await poll('the store to be back', works(store));
    // Each reason of an outage once: it was closed, and cannot be opened again.
    const messages = lines.map(({ message }) => message);
    expect([...new Set(messages)]).toEqual(['Redis is not available', 'Redis answers again']);
    expect(messages.at(-1)).toBe('Redis answers again');
    expect(messages.length).toBeLessThanOrEqual(3);
    // Whatever was acknowledged is there.
    for (const token of [saved, ...traffic.tokens])
      expect(await store.resolver.resolve(token)).toBeDefined();
  });

  test('is away, and the clock is set back: nothing waits for it to catch up', async () => {
    const redis = await redisServer();
    const store = storeOn(redis.url);
    await save(store);
    await redis.kill();
    await sleep(TIMEOUT_MS + 200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    const start = performance.now();
    for (let n = 0; n < 20; n++) expect(await outcome(save(store))).not.toBe('done');
    expect(performance.now() - start).toBeLessThan(5 * TIMEOUT_MS);
  });

  test('does not answer', async () => {
    const redis = await redisServer();
    const store = storeOn(redis.url);
    const token = await save(store);
    redis.pause();
    const outcomes = await Promise.all([
      outcome(save(store)),
      outcome(store.resolver.resolve(token)),
      outcome(store.events.stream.append(['{}'])),
      outcome(store.blocks.all()),
    ]);
    for (const text of outcomes) expect(text).toMatch(/no answer within 1000 ms|Socket timeout/);
    await poll('the store to know', async () => {
      const start = performance.now();
      await outcome(save(store));
      return performance.now() - start < TIMEOUT_MS / 2;
    });
    redis.resume();
    await poll('the store to be back', works(store));
    expect(await store.resolver.resolve(token)).toBeDefined();
  });

  test('is not there yet when the service starts', async () => {
    const port = await freePort();
    const store = storeOn(`redis://127.0.0.1:${port}`);
    expect(await outcome(save(store))).toMatch(/ECONNREFUSED|no answer within/);
    await redisServer({ port });
    await poll('the store to be there', works(store));
  });

  test('is loading its data (LOADING)', async () => {
    // The delay is in microseconds a key; without events in between, a loading server does not even say so.
    const slowly = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
    const redis = await redisServer({ args: slowly });
    const store = storeOn(redis.url);
    const token = await save(store);
    // In portions: all at once, they would not be answered in time on a busy machine.
    for (let portion = 0; portion < 15; portion++) {
      await Promise.all(Array.from({ length: 100 }, () => save(store)));
    }
    await redis.cli('save');
    await redis.kill();
    void redis.start().catch(() => undefined);
    await poll('the server to load', async () => {
      const reply = await redis.cli('get', 'x').catch(() => '');
      return reply.startsWith('LOADING');
    });
    expect(await outcome(save(store))).not.toBe('done');
    expect(await outcome(store.resolver.resolve(token))).not.toBe('done');
    await poll('the store to be back', works(store), 30_000);
    expect(await store.resolver.resolve(token)).toBeDefined();
  });

  test('is a replica (READONLY): links still resolve, and the log says why', async () => {
    const redis = await redisServer();
    const { logger, lines } = recordedLog();
    const store = storeOn(redis.url, logger);
    const token = await save(store);
    await redis.cli('replicaof', '127.0.0.1', '1');
    expect(await outcome(save(store))).toMatchInlineSnapshot(
      `"Redis HOST: READONLY You can't write against a read only replica. (this is a replica: name the master, or its sentinels)"`,
    );
    await poll('the reconnect after READONLY', async () => {
      return (await outcome(store.resolver.resolve(token))) === 'done';
    });
    expect(lines[0]).toMatchObject({
      message: 'Redis is not available',
      reason: expect.stringContaining('READONLY'),
    });
    await redis.cli('replicaof', 'no', 'one');
    await poll('the store to be back', works(store));
  });

  test('is full (OOM): links still resolve', async () => {
    const redis = await redisServer({ args: ['--maxmemory-policy', 'noeviction'] });
    const store = storeOn(redis.url);
    const token = await save(store);
    await redis.cli('config', 'set', 'maxmemory', '1');
    expect(await outcome(save(store))).toMatchInlineSnapshot(
      `"Redis HOST: OOM command not allowed when used memory > 'maxmemory'. (its memory is full: raise maxmemory)"`,
    );
    expect(await outcome(store.events.stream.append(['{}']))).toContain('OOM');
    expect(await outcome(store.resolver.resolve(token))).toBe('done');
    await redis.cli('config', 'set', 'maxmemory', '0');
    expect(await outcome(save(store))).toBe('done');
  });

  test('cannot write its snapshots (MISCONF)', async () => {
    const redis = await redisServer({ args: ['--save', '3600', '1'] });
    const store = storeOn(redis.url);
    await save(store);
    // A folder where the snapshot belongs: renaming the new one onto it fails, even for root.
    await mkdir(`${redis.dir}/dump.rdb/x`, { recursive: true });
    await redis.cli('bgsave');
    await poll('the snapshot to fail', async () =>
      (await redis.cli('info', 'persistence')).includes('rdb_last_bgsave_status:err'),
    );
    expect(await outcome(save(store))).toContain('it cannot write its snapshots: see its log');
    await redis.cli('config', 'set', 'stop-writes-on-bgsave-error', 'no');
    expect(await outcome(save(store))).toBe('done');
    await redis.cli('config', 'set', 'save', '');
  });

  test('is a node of a cluster that nobody said it was (MOVED)', async () => {
    const cluster = await startCluster();
    open.push(cluster);
    const store = storeOn(cluster.nodes[0]?.url ?? '');
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(save(store))));
    const refused = outcomes.find((text) => text !== 'done')?.replace(/MOVED \d+/, 'MOVED SLOT');
    expect(refused).toMatchInlineSnapshot(
      `"Redis HOST: MOVED SLOT HOST (this is a node of a cluster: name its nodes in redis { nodes })"`,
    );
  });

  test('wants a password', async () => {
    const redis = await redisServer({ args: ['--requirepass', 'x'] });
    expect(await outcome(save(storeOn(redis.url)))).toMatchInlineSnapshot(
      `"Redis HOST: NOAUTH Authentication required. (it wants a password: redis { password })"`,
    );
    const wrong = redis.url.replace('//', '//:wrong@');
    expect(await outcome(save(storeOn(wrong)))).toMatchInlineSnapshot(
      `"Redis HOST: WRONGPASS invalid username-password pair or user is disabled. (see redis { username password })"`,
    );
  });

  test('is a cluster that does not tell where its slots are (NOPERM): the reason is said', async () => {
    const cluster = await startCluster();
    open.push(cluster);
    for (const node of cluster.nodes) {
      await node.cli('acl', 'setuser', 'default', '-cluster');
    }
    const store = openStore({ url: 'redis://unused', nodes: cluster.addresses.slice(0, 1) });
    open.push({ stop: () => store.close() });
    expect(await outcome(save(store))).toMatchInlineSnapshot(
      `"Redis Cluster HOST: NOPERM this user has no permissions to run the 'cluster|slots' command (its ACL does not let this user do what is needed)"`,
    );
  });

  test('refuses the scripts that count (NOPERM): said once, and nothing is lost', async () => {
    const redis = await redisServer();
    const { logger, lines } = recordedLog();
    const refused = () => lines.map(({ problem }) => String(problem).replace(/\S+:\d+/, 'HOST'));
    const store = openStore({ url: redis.url, logger });
    open.push({ stop: () => store.close() });
    await redis.cli('acl', 'setuser', 'default', '-eval');
    const time = Date.now();
    const { counters } = store;
    for (let n = 0; n < 2; n++) {
      counters.book({ time, messageId: 'm', link: 'shop', part: 'html', count: 1 }, 'people');
    }
    const portion = await counters.portion();
    const id = nextPortionId();
    for (let flush = 0; flush < 2; flush++) {
      counters.sent({ time, links: 3 });
      await counters.flush();
      await expect(counters.count(portion, id)).rejects.toThrow(StoreUnavailable);
    }
    expect(refused()).toMatchInlineSnapshot(`
      [
        "Redis HOST: NOPERM this user has no permissions to run the 'eval' command (its ACL does not let this user do what is needed)",
      ]
    `);

    await redis.cli('acl', 'setuser', 'default', '+eval');
    await counters.flush();
    await counters.count(portion, id);
    const { total } = await counters.report({ by: 'day' });
    expect(total).toMatchObject({ messages: 2, links: 6, clicks: 2 });
    expect(refused()).toHaveLength(1);
  });

  test('refuses scripts (NOPERM): events go to the stream all the same, in their order', async () => {
    const redis = await redisServer();
    const store = storeOn(redis.url);
    await redis.cli('acl', 'setuser', 'default', '-eval');
    const events = [...Array(5).keys()].map((n) => `{"msys":{"track_event":{"n":${n}}}}`);
    await Promise.all(events.map((event) => store.events.stream.append([event])));
    const reader = store.events.openReader('oldest');
    expect((await reader.next(10, 0)).map(({ event }) => event)).toEqual(events);
    await reader.close();
  });

  test('has fewer replicas than are asked for', async () => {
    const redis = await redisServer({ args: ['--repl-diskless-sync-delay', '0'] });
    const store = openStore({ url: redis.url, waitReplicas: 1, waitTimeoutMs: 100 });
    open.push({ stop: () => store.close() });
    expect(await outcome(save(store))).toMatchInlineSnapshot(
      `"Redis HOST: record on 0 replicas after 100 ms, 1 are asked for"`,
    );
    const replica = await redisServer({ args: ['--replicaof', `127.0.0.1 ${redis.port}`] });
    await poll('the replica to be in sync', works(store));
    expect(await replica.cli('dbsize')).not.toBe('0');
  });
});

test('a Redis that stays a replica is logged as one outage, and when it takes writes again', async () => {
  const redis = await redisServer();
  const { logger, lines } = recordedLog();
  const store = openStore({ url: redis.url, logger });
  open.push({ stop: () => store.close() });
  await poll('the store to be there', works(store));
  await redis.cli('replicaof', '127.0.0.1', '1');
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(await redis.cli('info', 'stats'))?.[1]);
  const before = await connections();
  // The client connects again each second, as after a failover; each question is one, too.
  let asked = 0;
  await poll('some connections', async () => {
    await outcome(save(store));
    return (await connections()) - before - ++asked >= 3;
  });
  expect(lines.map(({ reason }) => String(reason))).toEqual([
    expect.stringMatching(/READONLY .*this is a replica: name the master, or its sentinels/),
  ]);
  await redis.cli('replicaof', 'no', 'one');
  await poll('the store to be back', () => lines.at(-1)?.message === 'Redis answers again');
  expect(lines).toHaveLength(2);
  expect(await outcome(save(store))).toBe('done');
});

test('the caller who gives up is not kept waiting', async () => {
  const redis = await redisServer();
  const store = storeOn(redis.url);
  await save(store);
  redis.pause();
  const issued = store.issuer.issue(exampleMessage());
  issued.token({ target: 'https://shop.example/', part: 'html' });
  const giveUp = new AbortController();
  const commit = outcome(issued.commit(giveUp.signal));
  giveUp.abort();
  expect(await commit).toBe('Redis HOST: given up');
  redis.resume();
});

test('a record of a later release is a reason to wait, not to say that the link never was', async () => {
  const redis = await redisServer();
  const store = storeOn(redis.url);
  const token = await save(store);
  await redis.cli('set', `clickmilter:m:${token.slice(1, 17)}`, '\x09...');
  expect(await outcome(store.resolver.resolve(token))).toMatch(
    /^record of message \S{16}: message record of format 9, this release reads formats [\d, ]+ and \d$/,
  );
});

test('a password that was changed is the reason that is told', async () => {
  const locked = await startRedis({ args: ['--requirepass', 'one'] });
  const { logger, lines } = recordedLog();
  const store = openStore({ url: locked.url, password: 'one', logger });
  const asked = new Client(locked.url, { password: 'one' });
  try {
    await save(store);
    await asked.config('SET', 'requirepass', 'two');
    await asked.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await poll('the reason', () =>
      lines.some(({ reason }) => String(reason).includes('WRONGPASS')),
    );
    expect(lines.at(-1)?.['reason']).toContain('see redis { username password }');
    await asked.config('SET', 'requirepass', 'one');
    await poll('the store to be back', () => lines.at(-1)?.message === 'Redis answers again');
  } finally {
    asked.disconnect();
    await store.close();
    await locked.stop();
  }
});
