import { hash } from 'node:crypto';
import { asciiDomain } from '../lib/host-name.ts';
import { type Logger, reasonOf } from '../lib/logger.ts';
import type { EditableOptOuts } from './store.ts';

/** Stands for a recipient in a list of opt-outs: 22 characters of base64url. */
export const OPT_OUT_DIGEST = /^[\w-]{22}$/;

/** An address that nobody has, to find out whether opt-outs can be known. */
export const NOBODY = 'nobody@clickmilter.invalid';

/** Bytes of SHA-256 that are kept: no two recipients have them in common. */
const DIGEST_BYTES = 16;

/**
 * The digest of a recipient's address, in any spelling of its domain and without regard to case.
 * The same on all hosts and for both kinds of stores, so that a list can move between them.
 */
export function optOutDigest(address: string): string {
  const at = address.lastIndexOf('@');
  const spelt = address.slice(0, at + 1).toLowerCase() + asciiDomain(address.slice(at + 1));
  const digest = hash('sha256', `clickmilter opt-out ${spelt}`, 'buffer');
  return digest.toString('base64url', 0, DIGEST_BYTES);
}

/**
 * Opt-outs that log when they cannot be known, because mail is not tracked then, and when they can
 * be again.
 */
export function loggedOptOuts(optOuts: EditableOptOuts, logger: Logger): EditableOptOuts {
  let areKnown = true;
  return {
    async hasAny(addresses) {
      try {
        const found = await optOuts.hasAny(addresses);
        if (!areKnown) logger.info('opt-outs are known again');
        areKnown = true;
        return found;
      } catch (error) {
        const reason = reasonOf(error);
        if (areKnown) logger.error({ reason }, 'opt-outs are not known: mail is not tracked');
        areKnown = false;
        throw error;
      }
    },
    add: (digests) => optOuts.add(digests),
    remove: (digests) => optOuts.remove(digests),
    all: () => optOuts.all(),
  };
}
