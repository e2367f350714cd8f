import { afterAll, beforeAll, expect, test } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import { MAX_BYTES } from '../../../src/preview/versions.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { openStore } from './open-store.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

test.each([
  ['of another type', ['rpush', 'KEY', 'x']],
  ['of another program', ['set', 'KEY', 'x']],
  ['longer than any preview', ['setrange', 'KEY', String(MAX_BYTES), 'xx']],
])(
  'a value %s is damaged, not an outage, until the next copy replaces it',
  async (_name, write) => {
    const store = openStore({ url: redis.url });
    try {
      await store.previews.add('news', '<p>a</p>', 5);
      const key = (await redis.cli('keys', '*:p:*')).trim();
      await redis.cli('del', key);
      await redis.cli(...write.map((part) => (part === 'KEY' ? key : part)));
      const failure = await store.previews.of('news').catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect(failure).not.toBeInstanceOf(StoreUnavailable);
      await store.previews.add('news', '<p>a</p>', 5);
      expect(await store.previews.of('news')).toHaveLength(1);
    } finally {
      await store.close();
    }
  },
);
