import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import type { SignSettings } from '../../../src/store/events.ts';
import type { RedisOptions } from '../../../src/store/redis/client.ts';
import { createRedisStore, type RedisStore } from '../../../src/store/redis/store.ts';
import type { StreamLimits } from '../../../src/store/redis/stream.ts';
import { eventsDefaults, redisDefaults } from '../../helpers/option-defaults.ts';

/** The folder of the journal behind Redis; most tests write nothing to it. */
export const JOURNAL = join(tmpdir(), `clickmilter-store-${process.pid}`);
/** Short, so that tests of outages are. */
export const TIMEOUT_MS = 1_000;

export interface OpenOptions extends Partial<RedisOptions> {
  readonly stream?: Partial<StreamLimits & SignSettings>;
  readonly logger?: Logger;
}

export function openStore({
  stream,
  logger = silent,
  ...options
}: OpenOptions & { readonly url: string }): RedisStore {
  const redis = {
    ...redisDefaults,
    connectTimeoutMs: TIMEOUT_MS,
    commandTimeoutMs: TIMEOUT_MS,
    ...options,
  };
  const events = { ...eventsDefaults, journal: JOURNAL, ...stream };
  return createRedisStore({ redis, events }, logger, noMetrics);
}
