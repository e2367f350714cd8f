import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { freePort } from '../../helpers/free-port.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { startSentinels } from '../../helpers/redis-sentinel.ts';
import { makeCertificates } from '../../helpers/tls-certificates.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { storeContract } from '../contract.ts';
import { openStore } from './open-store.ts';

/** A server, or several, as one shape of Redis, and a store that reaches them. */
interface Shape {
  readonly store: RedisStore;
  stop(): Promise<unknown>;
}

/** What the reference says that an ACL user needs. */
const [, NEEDED = ''] =
  /An ACL user needs: (.*)/.exec(readFileSync('conf/clickmilter.conf', 'utf8')) ?? [];

const shapes: Readonly<Record<string, () => Promise<Shape>>> = {
  'TCP, with a password and a database of its own': async () => {
    const redis = await startRedis({ args: ['--requirepass', 'p@ss/word'] });
    const url = `redis://:p%40ss%2Fword@127.0.0.1:${redis.port}/3`;
    return { store: openStore({ url }), stop: () => redis.stop() };
  },

  'a unix socket': async () => {
    const redis = await startRedis();
    return { store: openStore({ url: `unix://${redis.socket}` }), stop: () => redis.stop() };
  },

  'TLS with certificates on both sides, as an ACL user who may do no more than he must':
    async () => {
      const files = await makeCertificates();
      const port = await freePort();
      const redis = await startRedis({
        port,
        conf: [
          `tls-ca-cert-file ${files.ca}`,
          `tls-cert-file ${files.certificate}`,
          `tls-key-file ${files.key}`,
          'tls-auth-clients yes',
          'user default off',
          'user clickmilter on >s3cret/:@ ~clickmilter:* -@all +@read +@write +@connection +info +wait +eval +config|get',
        ].join('\n'),
        args: ['--port', '0', '--tls-port', `${port}`],
      });
      return {
        store: openStore({
          url: `rediss://localhost:${port}`,
          username: 'clickmilter',
          password: 's3cret/:@',
          tlsCa: files.ca,
          tlsCertificate: files.certificate,
          tlsKey: files.key,
        }),
        stop: () => Promise.all([redis.stop(), rm(files.folder, { recursive: true })]),
      };
    },

  Sentinel: async () => {
    const setup = await startSentinels();
    const { sentinels, name: sentinelName } = setup;
    return {
      store: openStore({ url: 'redis://unused', sentinels, sentinelName, waitReplicas: 1 }),
      stop: () => setup.stop(),
    };
  },

  'a cluster of three, as such a user': async () => {
    const cluster = await startCluster();
    for (const node of cluster.nodes) {
      await node.cli('acl', 'setuser', 'clickmilter', 'on', '>pw', ...NEEDED.split(' '));
      await node.cli('acl', 'setuser', 'default', 'off');
    }
    return {
      store: openStore({
        url: 'redis://unused',
        nodes: cluster.addresses.slice(0, 2),
        username: 'clickmilter',
        password: 'pw',
      }),
      stop: () => cluster.stop(),
    };
  },
};

describe.each(Object.entries(shapes))('over %s', (_, start) => {
  let shape: Shape;
  beforeAll(async () => {
    shape = await start();
  });
  afterAll(async () => {
    await shape?.store.close();
    await shape?.stop();
  });

  storeContract(() => shape.store, 30);

  test('a block counts from the next request on, and so does its end', async () => {
    const { issuer, resolver, blocks } = shape.store;
    const issued = issuer.issue(exampleMessage());
    const token = tokenOf(issued, { target: 'https://www.shop.example/a', part: 'html' });
    await issued.commit(AbortSignal.timeout(5_000));
    const blockNow = async () => {
      const resolved = await resolver.resolve(token);
      return resolved && blocks.find(token, resolved);
    };
    const block = { kind: 'domain', value: 'shop.example' } as const;
    expect(await blockNow()).toBeUndefined();
    expect(await blocks.add(block)).toBe(true);
    expect(await blockNow()).toEqual(block);
    expect(await blocks.add(block)).toBe(false);
    expect(await blocks.all()).toEqual([block]);
    expect(await blocks.remove(block)).toBe(true);
    expect(await blockNow()).toBeUndefined();
    expect(await blocks.remove(block)).toBe(false);
  });

  test('events are read back by a reader and by a consumer, in order', async () => {
    const { events, openReader, openConsumer } = shape.store;
    const all = Array.from({ length: 25 }, (_, n) =>
      JSON.stringify({ msys: { track_event: { n } } }),
    );
    const reader = openReader('$');
    await reader.next(1, 0);
    await events.append(all);
    const read = [];
    while (read.length < all.length) read.push(...(await reader.next(10, 1_000)));
    expect(read.map(({ event }) => event)).toEqual(all);
    expect(await reader.next(10, 50)).toEqual([]);
    await reader.close();

    const consumer = openConsumer({ group: 'webhook', name: 'a' });
    const shared = await consumer.next(100, 1_000);
    expect(shared.map(({ event }) => event)).toEqual(all);
    expect(await consumer.unacknowledged(100)).toEqual(shared);
    await consumer.acknowledge(shared);
    expect(await consumer.unacknowledged(100)).toEqual([]);
    await consumer.close();
  });

  test('counts add up to a report', async () => {
    const { counters, reports } = shape.store;
    const [day, campaign, pathway] = ['2026-11-23', 'autumn', 'news'];
    for (let i = 0; i < 10; i++) counters.sent({ day, campaign, pathway, links: 3 });
    const click = { day, campaign, pathway, count: 1 };
    counters.clicked({ ...click, messageId: 'm1', link: 'Logo' });
    counters.clicked({ ...click, messageId: 'm1', link: 'Logo', count: 4 });
    counters.clicked({ ...click, messageId: 'm1', link: 'Offer' });
    counters.clicked({ ...click, messageId: 'm2', link: 'Logo' });
    await counters.flush();
    counters.clicked({ ...click, messageId: 'm2', link: 'Logo' });
    await counters.flush();
    const query = { since: day, until: day, by: 'campaign' } as const;
    const row = { messages: 10, links: 30, clicks: 8, rawClicks: 3, uniqueClicks: 2 };
    expect(await reports.report(query)).toEqual({
      rows: [{ key: 'autumn', ...row }],
      total: { key: '', ...row },
      unreadable: 0,
    });
    expect(await reports.report({ ...query, by: 'link' })).toEqual({
      rows: [
        { key: 'Logo', clicks: 7, rawClicks: 2, uniqueClicks: 2 },
        { key: 'Offer', clicks: 1, rawClicks: 1, uniqueClicks: 1 },
      ],
      total: { key: '', clicks: 8, rawClicks: 3, uniqueClicks: 2 },
      unreadable: 0,
    });
    expect(await reports.clicksOf('m1', 'Logo')).toBe(5);
  });

  test('a recipient is forgotten', async () => {
    const { issuer, resolver, forget } = shape.store;
    const issued = issuer.issue(exampleMessage({ recipients: ['gone@x.example'] }));
    const token = tokenOf(issued, { target: 'https://www.shop.example/a', part: 'html' });
    await issued.commit(AbortSignal.timeout(5_000));
    expect(await forget({ address: 'gone@x.example' })).toMatchObject({ records: 1 });
    expect(await resolver.resolve(token)).toBeUndefined();
  });

  test('health says what it found', async () => {
    const health = await shape.store.health();
    expect(health.latency).toBeGreaterThan(0);
    expect(health.servers.length).toBeGreaterThan(0);
    for (const server of health.servers) {
      expect(server.version).toMatch(/^\d+\.\d+/);
      expect(server.policy).toBe('noeviction');
    }
  });
});
