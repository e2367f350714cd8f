import type { Metrics } from '../lib/metrics.ts';
import type { LinkIssuer, LinkResolver } from '../link/link-store.ts';

/** The same, with the time of each look-up in the metrics. */
export function timedResolver(resolver: LinkResolver, metrics: Metrics): LinkResolver {
  return {
    resolve: (token, host) =>
      timed(metrics, 'resolve', performance.now(), resolver.resolve(token, host)),
  };
}

/** The same, with the time of each save in the metrics. */
export function timedIssuer(issuer: LinkIssuer, metrics: Metrics): LinkIssuer {
  if (issuer.kind === 'sealed') return issuer; // there is no store to wait for
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

/** @param start what performance.now said before the work began */
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
