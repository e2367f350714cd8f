import type { Configuration } from '../config/configuration.ts';
import type { FilterParts } from '../filter/options.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { LinkIssuer, LinkResolver } from '../link/link-store.ts';
import { newMessageId } from '../link/message-id.ts';
import { SealKeyFile } from '../link/seal-key-file.ts';
import { newSealKey, SealKeys } from '../link/seal-keys.ts';
import { createSealedLinks, type SealedLinks } from '../link/sealed-links.ts';
import { formatStoredToken, isStoredToken, LinkChecks } from '../link/stored-token.ts';
import { openStore, storeBackend } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';

/** Everything that makes links and finds them again. */
export interface Links extends FilterParts {
  /** Finds links of both kinds: sealed ones go on working while links are stored. */
  readonly resolver: LinkResolver;
  readonly store: Store;
  readonly keys: SealKeyFile;
  close(): Promise<void>;
}

/**
 * @param trackingDomains those configured now
 * @throws Error that names a key file which cannot be used
 */
export async function openLinks(
  config: Configuration,
  logger: Logger,
  metrics: Metrics,
  trackingDomains: () => Iterable<string> = () => config.scopes.trackingDomains,
): Promise<Links> {
  const keys = await SealKeyFile.open(config.sealed.keyFile);
  const sealed = createSealedLinks(keys.keys, trackingDomains);
  const store = await openStore(config, logger, metrics);
  return {
    ...linksOf(store, sealed),
    sealed: sealed.issuer,
    counter: store.counters,
    optOuts: store.optOuts,
    store,
    keys,
    close: () => store.close(),
  };
}

/** Issues links of the store, or sealed ones where it keeps no records; resolves both kinds. */
export function linksOf(store: Store, sealed: SealedLinks): Pick<Links, 'issuer' | 'resolver'> {
  return {
    issuer: store.issuer ?? sealed.issuer,
    resolver: {
      resolve: (token, host, mayDiffer) =>
        (isStoredToken(token) ? store : sealed).resolver.resolve(token, host, mayDiffer),
    },
  };
}

/**
 * Links of the configured kind that look right and lead nowhere: nothing remembers their targets.
 */
export function practiceLinks(config: Configuration): FilterParts {
  const sealed = createSealedLinks(
    () => key,
    () => [],
  ).issuer;
  const key = new SealKeys([newSealKey([], 0)]);
  const stored: LinkIssuer = {
    kind: 'stored',
    issue({ messageId }) {
      const checks = new LinkChecks(newMessageId());
      let index = 0;
      return { token: () => formatStoredToken(messageId, index++, checks), commit: async () => {} };
    },
  };
  const issuers = { stored, sealed };
  return {
    issuer: issuers[storeBackend(config).linkKind],
    sealed,
    counter: { sent() {} },
    optOuts: { hasAny: async () => false },
  };
}
