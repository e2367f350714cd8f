import { inBackground } from '../lib/background.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { LinkIssuer, LinkResolver } from '../link/link-store.ts';
import type { StoreHealth } from '../store/store.ts';

/** Milliseconds between two looks at the store. */
const LOOK_MS = 60_000;

/**
 * Logs what the store refuses, and warnings about it, such as a click stream that is nearly full: at
 * once, and later when one becomes true. What stays true is logged once. An unavailable store is
 * logged elsewhere.
 * @returns stops watching
 */
export function watchStore(
  health: () => Promise<Pick<StoreHealth, 'failures' | 'warnings'>>,
  logger: Logger,
  lookMs = LOOK_MS,
): () => void {
  let known = new Set<string>();
  const look = async () => {
    const found = await health().catch(() => undefined);
    if (found === undefined) return;
    const { failures, warnings } = found;
    for (const failure of failures) if (!known.has(kindOf(failure))) logger.error(failure);
    for (const warning of warnings) if (!known.has(kindOf(warning))) logger.warn(warning);
    known = new Set([...failures, ...warnings].map(kindOf));
  };
  const lookInBackground = () => inBackground('watch the store', look);
  lookInBackground();
  const timer = setInterval(lookInBackground, lookMs).unref();
  return () => clearInterval(timer);
}

/** A warning whose numbers have changed is the same warning. */
function kindOf(warning: string): string {
  return warning.replace(/\d+/g, '');
}

/** A resolver that measures each look-up. */
export function timedResolver(resolver: LinkResolver, metrics: Metrics): LinkResolver {
  metrics.count('store_errors_total', { operation: 'resolve' }, 0);
  return {
    resolve: (...asked) => timed(metrics, 'resolve', performance.now(), resolver.resolve(...asked)),
  };
}

/** An issuer that measures each save. */
export function timedIssuer(issuer: LinkIssuer, metrics: Metrics): LinkIssuer {
  if (issuer.kind === 'sealed') return issuer; // there is no store to wait for
  metrics.count('store_errors_total', { operation: 'save' }, 0);
  return {
    kind: issuer.kind,
    issue(message) {
      const issued = issuer.issue(message);
      return {
        token: (link) => issued.token(link),
        commit: (givenUp) => timed(metrics, 'save', performance.now(), issued.commit(givenUp)),
      };
    },
  };
}

/** Measures an operation of the store. @param start performance.now() before it began */
async function timed<T>(
  metrics: Metrics,
  operation: 'save' | 'resolve',
  start: number,
  work: Promise<T>,
): Promise<T> {
  let failed = true;
  try {
    const result = await work;
    failed = false;
    return result;
  } finally {
    metrics.observe('store_duration_seconds', { operation }, (performance.now() - start) / 1000);
    if (failed) metrics.count('store_errors_total', { operation });
  }
}
