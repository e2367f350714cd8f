import { afterAll, beforeAll, expect, test } from 'vitest';
import { newSealKey, SealKeys } from '../../../src/link/seal-keys.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import type { KeysOfHost } from '../../../src/store/store.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { openStore } from './open-store.ts';

let redis: Redis;
let store: RedisStore;
beforeAll(async () => {
  redis = await startRedis();
  store = openStore({ url: redis.url });
});
afterAll(async () => {
  await store.close();
  await redis.stop();
});

const DAY = 86_400_000;
const KEY = 'clickmilter:keys';
const key = newSealKey([], 0);
const { fingerprint } = new SealKeys([key]);

test('the fingerprint depends on all keys, not on their order', () => {
  const other = newSealKey([key], 1);
  const both = new SealKeys([key, other]).fingerprint;
  expect(both).toBe(new SealKeys([other, key]).fingerprint);
  expect(both).not.toBe(fingerprint);
  expect(new SealKeys([{ ...key, secret: other.secret }]).fingerprint).not.toBe(fingerprint);
});

const otherHosts = async (keys: KeysOfHost) => {
  const { warnings } = await store.health(keys);
  const [, hosts = ''] =
    warnings.map((one) => /^other sealing keys on (.*?):/.exec(one)).find(Boolean) ?? [];
  return hosts;
};

test('a host learns which others have other keys, until they are gone', async () => {
  const mine = { fingerprint, announceAs: 'mx1' };
  expect(await otherHosts(mine)).toBe('');
  const others = new SealKeys([newSealKey([], 0)]);
  expect(await otherHosts({ fingerprint: others.fingerprint, announceAs: 'mx2' })).toBe('mx1');
  expect(await otherHosts(mine)).toBe('mx2');
  expect(await otherHosts({ fingerprint })).toBe('mx2');
  expect(await otherHosts({ fingerprint, host: 'mx2' })).toBe('');
  await otherHosts({ fingerprint, announceAs: 'mx2' });
  expect(await otherHosts(mine)).toBe('');
  const longAgo = Math.floor((Date.now() - 31 * DAY) / 1000);
  await redis.cli('hset', KEY, 'mx3', `another ${longAgo}`);
  expect(await otherHosts(mine)).toBe('');
  expect(await redis.cli('hkeys', KEY)).not.toContain('mx3');
});

test('values that nobody wrote are no hosts', async () => {
  await redis.cli('hset', KEY, 'odd', 'x', 'older', 'y 99999999999999999', 'empty', '');
  expect(await otherHosts({ fingerprint })).toBe('');
});

test('the warning says what happens, and what would be right', async () => {
  await redis.cli('hset', KEY, 'mx4', `another ${Math.floor(Date.now() / 1000)}`);
  expect((await store.health({ fingerprint })).warnings.at(-1)).toMatchInlineSnapshot(
    `"other sealing keys on mx4: sealed links made here are 404 there, and theirs are 404 here; give all hosts the same key file"`,
  );
});
