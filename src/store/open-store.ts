import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { LinkIssuer } from '../link/link-store.ts';
import type { LocalSettings } from './local/store.ts';
import type { RedisSettings } from './redis/store.ts';
import type { Store } from './store.ts';

/** The part of the configuration that the backends use. */
export type StoreSettings = LocalSettings &
  RedisSettings & {
    readonly linkStore: LinkStore;
    readonly sealed: { readonly keyFile: string };
  };

/** A kind of store, before it is opened. */
export interface Backend {
  readonly linkKind: LinkIssuer['kind'];
  /** The stanza of the server that keeps the links, if there is one. */
  readonly stanza?: string;
  /** Says where links and clicks are kept, for the log. */
  describe(settings: StoreSettings): string;
  /** The longest time that saving the links of a message takes, in milliseconds. */
  saveTimeoutMs(settings: StoreSettings): number;
  open(settings: StoreSettings, logger: Logger, metrics: Metrics): Promise<Store>;
}

const backends = {
  redis: {
    linkKind: 'stored',
    stanza: 'redis',
    describe: ({ redis }) => `links and clicks are kept in Redis (${redis.keyPrefix}*)`,
    saveTimeoutMs: ({ redis }) => redis.commandTimeoutMs,
    // Loaded only where it is used: ioredis takes a fifth of the start of the service.
    open: async (...args) => (await import('./redis/store.ts')).createRedisStore(...args),
  },
  sealed: {
    linkKind: 'sealed',
    describe: ({ sealed, events }) =>
      `links are sealed with the keys in ${sealed.keyFile}, clicks go to ${events.journal}`,
    saveTimeoutMs: () => 0,
    open: async (...args) => (await import('./local/store.ts')).createLocalStore(...args),
  },
} satisfies Record<string, Backend>;

/** A value of `link_store`. */
export type LinkStore = keyof typeof backends;

/** The values of `link_store`. */
export const linkStores = Object.keys(backends) as LinkStore[];

/** The kind of store that is configured. No other code compares `link_store` with a value. */
export function storeBackend({ linkStore }: Pick<StoreSettings, 'linkStore'>): Backend {
  return backends[linkStore];
}

/** Opens the store that is configured. It touches nothing yet but the program's own files. */
export function openStore(
  settings: StoreSettings,
  logger: Logger,
  metrics: Metrics,
): Promise<Store> {
  return storeBackend(settings).open(settings, logger, metrics);
}
