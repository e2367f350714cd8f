import { hash } from 'node:crypto';
import { BoundedCache } from '../lib/bounded-cache.ts';

/** The name in a Host header or a `tracking_domain`: without port and final dot, in lower case. */
export function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

/** Bounded, as requests may name any host. */
const digests = new BoundedCache<string, string>(1000);

/** The name in four bytes (as latin1): the start of its SHA-256. Enough to tell one's own few domains apart. */
export function hostDigest(host: string): string {
  return digests.getOrMake(host, () =>
    hash('sha256', hostName(host), 'buffer').toString('latin1', 0, 4),
  );
}
