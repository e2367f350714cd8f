import type { Configuration } from '../config/configuration.ts';
import type { Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { createRedisStore, type RedisStore } from '../store/redis-store.ts';

/**
 * What is wrong with the Redis that is configured, as warnings at its stanza, or at `link_store`. One that cannot be
 * reached from here and now is nothing that a check of the configuration could know to be wrong: that is left to
 * `doctor` and the service.
 */
export async function storeProblems(config: Configuration, root: Stanza): Promise<Problem[]> {
  if (config.linkStore !== 'redis') return [];
  const set = root.settings.get('link_store');
  const place = root.child('redis')?.origin ?? set?.origin ?? root.origin;
  const warnings = await warningsOf(config);
  return warnings.map((message) => ({ severity: 'warning', message, ...place }));
}

async function warningsOf({ redis, events }: Configuration): Promise<readonly string[]> {
  let store: RedisStore;
  try {
    store = createRedisStore({ ...redis, stream: events });
  } catch (error) {
    // A certificate or key that cannot be read; perhaps only by whoever runs this.
    return [(error as Error).message];
  }
  try {
    return (await store.health()).warnings;
  } catch (error) {
    if (error instanceof StoreUnavailable) return [];
    throw error;
  } finally {
    await store.close();
  }
}
