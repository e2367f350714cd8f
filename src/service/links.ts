import type { Configuration } from '../config/configuration.ts';
import type { FilterParts, FilterSettings } from '../filter/transaction.ts';
import type { LinkIssuer, LinkResolver } from '../link/link-store.ts';
import { newMessageId } from '../link/message-id.ts';
import { SealKeyFile } from '../link/seal-key-file.ts';
import { newSealKey, SealKeys } from '../link/seal-keys.ts';
import { createSealedLinks } from '../link/sealed-links.ts';
import { formatStoredToken, isStoredToken, LinkChecks } from '../link/stored-token.ts';
import { DEFAULT_LIMITS } from '../message/open-message.ts';
import type { ClickCounter } from '../store/counters.ts';
import { BlockListFile } from '../store/local/blocks.ts';
import { FileCounters } from '../store/local/counters.ts';
import { createRedisStore, type RedisStore } from '../store/redis/store.ts';
import type { EditableBlockList, SentCounter } from '../store/store.ts';

/** All that makes links and finds them again. */
export interface Links extends FilterParts {
  readonly counter: SentCounter & ClickCounter;
  readonly resolver: LinkResolver;
  readonly blocks: EditableBlockList;
  /** Absent with `link_store = "sealed"`. */
  readonly store?: RedisStore;
  readonly keys: SealKeyFile;
  close(): Promise<void>;
}

/** What is told while links are made and followed. */
export interface LinksObserver {
  /** The store went away, and why; or with nothing, it is back. */
  store?(unavailable: string | undefined): void;
  /** The block list on disk cannot be read as it is. */
  blockList?(problem: string): void;
  /** Something is missing in the counters, or will be. */
  counters?(problem: string): void;
}

/**
 * @param trackingDomains those configured now
 * @throws Error that names a key file which cannot be used
 */
export async function openLinks(
  config: Configuration,
  observer: LinksObserver = {},
  trackingDomains: () => Iterable<string> = () => config.scopes.trackingDomains,
): Promise<Links> {
  const keys = await SealKeyFile.open(config.sealed.keyFile);
  const sealed = createSealedLinks(keys.keys, trackingDomains);
  if (config.linkStore === 'sealed') {
    const counter = new FileCounters({
      folder: config.events.journal,
      observer: {
        dropped: (path) => observer.counters?.(`${path} was removed, there is no room for more`),
        failed: (error) => observer.counters?.(String(error)),
      },
    });
    return {
      issuer: sealed.issuer,
      sealed: sealed.issuer,
      resolver: sealed.resolver,
      counter,
      blocks: new BlockListFile(config.events.blockList, (problem) =>
        observer.blockList?.(problem),
      ),
      keys,
      close: () => counter.close(),
    };
  }
  const store = createRedisStore({
    ...config.redis,
    stream: config.events,
    onConnection: (unavailable) => observer.store?.(unavailable),
    onCountsRefused: (reason) => observer.counters?.(reason),
  });
  return {
    issuer: store.issuer,
    sealed: sealed.issuer,
    // Sealed links of the time before Redis, or of hours without it, go on working.
    resolver: {
      resolve: (token, host) =>
        isStoredToken(token) ? store.resolver.resolve(token) : sealed.resolver.resolve(token, host),
    },
    counter: store.counters,
    blocks: store.blocks,
    store,
    keys,
    close: () => store.close(),
  };
}

/** Links of the configured kind that look right and lead nowhere: what they stand for is forgotten at once. */
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
  return { issuer: config.linkStore === 'redis' ? stored : sealed, sealed, counter: { sent() {} } };
}

/** What of the configuration the filter uses. */
export function filterSettings(config: Configuration): FilterSettings {
  const { scopes, macros, smtpapi, engagementTracker, milter } = config;
  const reading = {
    ...DEFAULT_LIMITS,
    bodySize: milter.maxMessageSize,
    parts: milter.maxParts,
    links: milter.maxLinks,
    growth: milter.maxGrowth,
  };
  const limits = {
    recipients: milter.maxRecipients,
    headerCount: milter.maxHeaderCount,
    headerBytes: milter.maxHeaderSize,
  };
  return { scopes, macros, smtpapi, engagementTracker, reading, limits };
}
