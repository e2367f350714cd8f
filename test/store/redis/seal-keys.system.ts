import { afterAll, beforeAll, expect, test } from 'vitest';
import { newSealKey, SealKeys } from '../../../src/link/seal-keys.ts';
import { otherKeysWarning } from '../../../src/store/redis/seal-keys.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
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
const key = newSealKey([], 0);
const { fingerprint } = new SealKeys([key]);

test('the fingerprint depends on all keys, not on their order', () => {
  const other = newSealKey([key], 1);
  const both = new SealKeys([key, other]).fingerprint;
  expect(both).toBe(new SealKeys([other, key]).fingerprint);
  expect(both).not.toBe(fingerprint);
  expect(new SealKeys([{ ...key, secret: other.secret }]).fingerprint).not.toBe(fingerprint);
});

test('a host learns which others have other keys, until they are gone', async () => {
  const now = Date.now();
  const { sealKeys } = store;
  await sealKeys.announce('mx1', fingerprint, now);
  expect(await sealKeys.hostsWithOthers(fingerprint, now)).toEqual([]);
  await sealKeys.announce('mx2', new SealKeys([newSealKey([], 0)]).fingerprint, now);
  expect(await sealKeys.hostsWithOthers(fingerprint, now)).toEqual(['mx2']);
  await sealKeys.announce('mx2', fingerprint, now);
  expect(await sealKeys.hostsWithOthers(fingerprint, now)).toEqual([]);
  await sealKeys.announce('mx3', 'another', now - 31 * DAY);
  expect(await sealKeys.hostsWithOthers(fingerprint, now)).toEqual([]);
  expect(await redis.cli('hkeys', 'clickmilter:keys')).not.toContain('mx3');
});

test('values that nobody wrote are no hosts', async () => {
  await redis.cli(
    'hset',
    'clickmilter:keys',
    'odd',
    'x',
    'older',
    'y 99999999999999999',
    'empty',
    '',
  );
  expect(await store.sealKeys.hostsWithOthers(fingerprint)).toEqual([]);
});

test('the warning says what happens, and what would be right', () => {
  expect(otherKeysWarning(['mx2', 'mx3'])).toMatchInlineSnapshot(
    `"other sealing keys on mx2, mx3: sealed links made here are 404 there, and theirs are 404 here; give all hosts the same key file"`,
  );
});
