import type { RedisStoreOptions } from '../../../src/store/redis/options.ts';
import { createRedisStore, type RedisStore } from '../../../src/store/redis/store.ts';

/** Short, so that tests of outages are. */
export const TIMEOUT_MS = 1_000;

export function openStore(
  options: Partial<RedisStoreOptions> & { readonly url: string },
): RedisStore {
  return createRedisStore({
    keyPrefix: 'clickmilter:',
    connectTimeoutMs: TIMEOUT_MS,
    commandTimeoutMs: TIMEOUT_MS,
    stream: { streamMaxLength: 1_000_000, streamMaxSize: 2 ** 30 },
    ...options,
  });
}
