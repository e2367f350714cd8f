import { hash } from 'node:crypto';
import { asciiDomain } from '../lib/host-name.ts';

/** Stands for a recipient in a list of opt-outs: 22 characters of base64url. */
export const OPT_OUT_DIGEST = /^[\w-]{22}$/;

/** Bytes of SHA-256 that are kept: no two recipients have them in common. */
const DIGEST_BYTES = 16;

/**
 * The digest of a recipient's address, in any spelling of its domain and without regard to case. The same on all hosts
 * and for both kinds of stores, so that a list can move between them.
 */
export function optOutDigest(address: string): string {
  const at = address.lastIndexOf('@');
  const spelt = address.slice(0, at + 1).toLowerCase() + asciiDomain(address.slice(at + 1));
  const digest = hash('sha256', `clickmilter opt-out ${spelt}`, 'buffer');
  return digest.toString('base64url', 0, DIGEST_BYTES);
}
