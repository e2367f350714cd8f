import { hash } from 'node:crypto';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { hostName } from '../lib/host-name.ts';
import type { IssuedLinks, LinkIssuer, LinkResolver, ResolvedLink } from './link-store.ts';
import type { MessageFacts } from './message-facts.ts';
import { assertMessageId } from './message-id.ts';
import type { SealKeys } from './seal-keys.ts';
import { MAX_SEALED_TARGET, type OpenedToken, openToken, Sealer } from './sealed-token.ts';

/** Links whose tokens hold everything: nothing is stored, and no store is asked. */
export interface SealedLinks {
  readonly issuer: LinkIssuer;
  readonly resolver: LinkResolver;
}

/**
 * The most tracking domains that a link is tried with where its host is not known for certain.
 * Strangers choose what they ask for, and operators may have a thousand domains.
 */
export const MAX_DOMAINS_TRIED = 100;

/**
 * @param keys called for each message and token, so that keys read again are used at once
 * @param domains the tracking domains to try a token with whose host is not known for certain
 */
export function createSealedLinks(
  keys: () => SealKeys,
  domains: () => Iterable<string>,
): SealedLinks {
  function* hosts(host: string | undefined, mayDiffer: boolean): Iterable<string> {
    if (host !== undefined) yield host;
    if (host !== undefined && !mayDiffer) return;
    let others = host === undefined ? Number.POSITIVE_INFINITY : MAX_DOMAINS_TRIED;
    for (const domain of domains()) {
      if (others-- <= 0) return;
      yield domain;
    }
  }
  return {
    issuer: {
      kind: 'sealed',
      maxTarget: MAX_SEALED_TARGET,
      issue: (message) => issue(keys(), message),
    },
    resolver: {
      resolve: async (token, host, mayDiffer = false) => {
        const opened = openToken(keys(), token, hosts(host, mayDiffer));
        return opened && resolved(opened);
      },
    },
  };
}

function issue(keys: SealKeys, message: MessageFacts): IssuedLinks {
  assertMessageId(message.messageId);
  const sealer = new Sealer(keys, message);
  return {
    token: (link) => sealer.seal(link),
    commit: async () => {},
  };
}

function resolved({
  link,
  messageId,
  injectionTime,
  lifetime,
  position,
  ...opened
}: OpenedToken): ResolvedLink {
  return {
    link,
    ...(position !== undefined && { position }),
    message: {
      messageId,
      injectionTime,
      expires: injectionTime + lifetime,
      // Form 2 has only a digest of the domain, which `isFor` compares.
      domain: opened.host ?? '',
      ...opened.facts,
    },
    isFor: (host) =>
      opened.host === undefined
        ? hostDigest(host) === opened.hostDigest
        : hostName(host) === hostName(opened.host),
  };
}

/** Bounded, because requests may name any host. */
const digests = new BoundedCache<string, string>(1000);

/**
 * The name of a host in four bytes (as latin1), the start of its SHA-256: enough to distinguish the
 * operator's domains.
 */
function hostDigest(host: string): string {
  return digests.getOrMake(host, () =>
    hash('sha256', hostName(host), 'buffer').toString('latin1', 0, 4),
  );
}
