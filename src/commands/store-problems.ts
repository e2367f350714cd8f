import type { Configuration } from '../config/configuration.ts';
import type { Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { openStore } from '../store/open-store.ts';

/** Answers of Redis by which it can never work as configured; others may be of the hour. */
const REFUSALS = /: (ERR DB index|WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/;

/**
 * What is wrong with the Redis that is configured, at its stanza, or at `link_store`: errors where it refuses login or
 * database, warnings about its settings. One that cannot be reached from here and now is nothing that a check of the
 * configuration could know to be wrong: that is left to `doctor` and the service.
 */
export async function storeProblems(config: Configuration, root: Stanza): Promise<Problem[]> {
  const set = root.settings.get('link_store');
  const place = root.child('redis')?.origin ?? set?.origin ?? root.origin;
  const store = await openStore(config, silent, noMetrics);
  try {
    const { warnings } = await store.health();
    return warnings.map((message) => ({ severity: 'warning', message, ...place }));
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    const { message } = error;
    return REFUSALS.test(message) ? [{ severity: 'error', message, ...place }] : [];
  } finally {
    await store.close();
  }
}
