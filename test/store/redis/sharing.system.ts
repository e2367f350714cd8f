import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { decodeTemplate } from '../../../src/link/template.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { poll } from '../../helpers/poll.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { outcome } from './attempts.ts';
import { type OpenOptions, openStore } from './open-store.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
});
afterAll(() => redis?.stop());
const stores: RedisStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await redis.cli('flushall');
});

function open(options: OpenOptions = {}): RedisStore {
  const store = openStore({ url: redis.url, ...options });
  stores.push(store);
  return store;
}

const YEAR = 31_536_000;
let serial = 0;

/** One copy of a newsletter: twenty links that all get, and one of the recipient's own. */
async function send(store: RedisStore, lifetime = YEAR, template = 'a'): Promise<string[]> {
  const recipient = `someone${serial++}@example.org`;
  const message = exampleMessage({ recipients: [recipient] });
  const issued = store.issuer.issue({ ...message, expires: message.injectionTime + lifetime });
  const targets = Array.from(
    { length: 20 },
    (_, i) => `https://shop.example/${template}/offer-${i}`,
  );
  targets.push(`https://shop.example/unsubscribe?u=${recipient}`);
  const tokens = targets.map((target) => tokenOf(issued, { target, part: 'html' }));
  await issued.commit(new AbortController().signal);
  return tokens;
}

const sharedKeys = async () =>
  (await redis.cli('keys', 'clickmilter:s:*')).split('\n').filter((key) => key !== '');

/** Sends until a record builds on shared links: it is of format 3 then. */
async function sendUntilShared(store: RedisStore, lifetime = YEAR): Promise<string[]> {
  return poll('records that share', async () => {
    const tokens = await send(store, lifetime);
    const key = `clickmilter:m:${tokens[0]?.slice(1, 17)}`;
    return (await redis.cli('getrange', key, '0', '0')) === '\x03' ? tokens : undefined;
  });
}

async function targetsOf(store: RedisStore, tokens: readonly string[]): Promise<string[]> {
  const resolved = await Promise.all(tokens.map((token) => store.resolver.resolve(token)));
  return resolved.map((found) => found?.link.target ?? 'nowhere');
}

test('what all copies have in common is kept once; every link still leads to its target', async () => {
  const store = open();
  const first = await send(store);
  const last = await sendUntilShared(store);
  expect(await sharedKeys()).toHaveLength(1);
  // By a process that has never seen the newsletter as well.
  for (const reader of [store, open()]) {
    for (const tokens of [first, last]) {
      const targets = await targetsOf(reader, tokens);
      expect(targets[19]).toBe('https://shop.example/a/offer-19');
      expect(targets[20]).toMatch(/unsubscribe\?u=someone\d+@example\.org$/);
      expect(targets).not.toContain('nowhere');
    }
  }
});

test('in a cluster nothing is shared, and every link leads to its target', async () => {
  const cluster = await startCluster();
  const store = openStore({ url: 'redis://unused', nodes: cluster.addresses });
  try {
    const copies: string[][] = [];
    for (let n = 0; n < 20; n++) copies.push(await send(store));
    for (const tokens of copies) expect(await targetsOf(store, tokens)).not.toContain('nowhere');
    const keys = await Promise.all(cluster.nodes.map((node) => node.cli('keys', '*')));
    expect(keys.join('\n').match(/^clickmilter:m:/gm)).toHaveLength(20);
    expect(keys.join('\n')).not.toContain('clickmilter:s:');
  } finally {
    await store.close();
    await cluster.stop();
  }
});

test("nothing that is one recipient's alone is in it", async () => {
  await sendUntilShared(open());
  const [key = ''] = await sharedKeys();
  const packed = await redis.cli('--no-raw', 'get', key);
  const value = Buffer.from(
    JSON.parse(packed.replace(/\\x([0-9a-f]{2})/g, '\\u00$1').replace(/\\a/g, '\\u0007')),
    'latin1',
  );
  const id = Buffer.from(key.slice('clickmilter:s:'.length), 'base64url');
  const text = decodeTemplate(value, id).text;
  expect(text).toContain('hhttps://shop.example/a/offer-0\n');
  expect(text).not.toMatch(/someone\d/);
});

test('it lives longer than every message that needs it, also with another process about', async () => {
  const [patient, hasty] = [open(), open()];
  await sendUntilShared(patient);
  const [key = ''] = await sharedKeys();
  await sendUntilShared(hasty, 3_600);
  expect(Number(await redis.cli('ttl', key))).toBeGreaterThan(YEAR + 30 * 86_400);
  await poll('a longer life for longer links', async () => {
    await send(hasty, 2 * YEAR);
    return Number(await redis.cli('ttl', key)) > 2 * YEAR + 30 * 86_400;
  });
});

test('Redis loses everything: what is saved from then on can be opened', async () => {
  const store = open();
  await sendUntilShared(store);
  await redis.cli('flushall');
  // Within a second or so it is noticed that the shared links are gone.
  await poll('them to be there again', async () => {
    await send(store);
    return (await sharedKeys()).length === 1;
  });
  const tokens = await send(store);
  expect(await targetsOf(open(), tokens)).not.toContain('nowhere');
});

test('after a restart of Redis they are made sure of before they are used again', async () => {
  const store = open();
  await sendUntilShared(store);
  await redis.kill();
  await outcome(send(store));
  await redis.start();
  const tokens = await poll('the store to be back', () => send(store).catch(() => undefined));
  expect(await targetsOf(open(), tokens)).not.toContain('nowhere');
});

test('a copy on its way when Redis loses everything stands by itself', async () => {
  // Time enough for Redis to be back.
  const store = open({ commandTimeoutMs: 10_000 });
  await sendUntilShared(store);
  redis.pause();
  const late = send(store);
  await sleep(50);
  await redis.kill();
  await rm(join(redis.dir, 'appendonlydir'), { recursive: true });
  await redis.start();
  expect(await targetsOf(open(), await late)).not.toContain('nowhere');
});

test('what cannot be read keeps nobody else from being forgotten', async () => {
  const store = open();
  const first = await send(store);
  const copy = await sendUntilShared(store);
  const recipient = `someone${serial - 1}@example.org`;
  const [key = ''] = await sharedKeys();
  await redis.cli('del', key);
  // Of a later release.
  await redis.cli('set', 'clickmilter:m:AAAAAAAAAAAAAAAA', '\x09...');
  const later = open();
  expect(await later.forget({ address: recipient })).toEqual({
    records: 1,
    shared: 0,
    events: 0,
    unreadable: 1,
    whyUnreadable: expect.stringContaining('AAAAAAAAAAAAAAAA: message record of format 9'),
  });
  // A copy says whose it is without its template.
  expect(await targetsOf(later, [copy[0] ?? '', first[0] ?? ''])).toEqual([
    'nowhere',
    'https://shop.example/a/offer-0',
  ]);
});

test('a recipient of a copy is forgotten, and the links go on leading where they led', async () => {
  const store = open();
  await sendUntilShared(store);
  const copy = await send(store);
  const recipient = `someone${serial - 1}@example.org`;
  const targets = await targetsOf(store, copy);
  expect(targets).not.toContain('nowhere');
  expect(await open().forget({ address: recipient, keepLinks: true })).toMatchObject({
    records: 1,
    unreadable: 0,
  });
  expect(await targetsOf(open(), copy)).toEqual(targets);
  expect(await targetsOf(store, copy)).toEqual(targets);
  expect(JSON.stringify(await open().resolver.resolve(copy[0] ?? ''))).not.toContain(recipient);
});

test('should they be gone all the same, the link is not said to be unknown', async () => {
  const store = open();
  const tokens = await sendUntilShared(store);
  const [key = ''] = await sharedKeys();
  await redis.cli('del', key);
  expect(await outcome(open().resolver.resolve(tokens[0] ?? ''))).toMatch(
    /^clickmilter:s:\S{12} is gone, which other records build on$/,
  );
});
