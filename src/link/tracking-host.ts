import { hash } from 'node:crypto';

/** The name in a Host header or a `tracking_domain`: without port and final dot, in lower case. */
export function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

/** Hosts come in by request, so that what is remembered of them needs a bound. */
const MAX_CACHED = 1_000;
const digests = new Map<string, string>();

/** The name in four bytes (as latin1): the start of its SHA-256. Enough to tell one's own few domains apart. */
export function hostDigest(host: string): string {
  const cached = digests.get(host);
  if (cached !== undefined) return cached;
  const digest = hash('sha256', hostName(host), 'buffer').toString('latin1', 0, 4);
  if (digests.size >= MAX_CACHED) digests.clear();
  digests.set(host, digest);
  return digest;
}
