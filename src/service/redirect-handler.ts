/**
 * `clickmilter/redirect`: answers tracked links in an HTTP server of your own, as the redirect
 * endpoint of the service does. docs/redirect-library.md has an example.
 */
import { access } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import type { AutomationReason, ClickEvent } from '../click/events.ts';
import { httpOptions } from '../config/listener-options.ts';
import type { Definitions, Fields } from '../config/option.ts';
import { stanzaFields } from '../config/stanza.ts';
import { eventsOptions, redisOptions, sealedOptions } from '../config/store-options.ts';
import { hostName } from '../lib/host-name.ts';
import { type Logger, logFailure, reasonOf, silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { parseRedisUrl } from '../lib/redis-url.ts';
import { SealKeyFile } from '../link/seal-key-file.ts';
import { createSealedLinks, MAX_DOMAINS_TRIED } from '../link/sealed-links.ts';
import { openStore } from '../store/open-store.ts';
import type { RedisOptions } from '../store/redis/client.ts';
import { linksOf } from './links.ts';
import { Releasers } from './releasers.ts';
import { openRedirect, watchFiles } from './serve-redirect.ts';

export type { AutomationReason, ClickEvent } from '../click/events.ts';
export type { Fields as LogFields, Logger } from '../lib/logger.ts';
export type { RedisOptions } from '../store/redis/client.ts';

/**
 * What click events say beside the facts of the message, the link and the request: options of the
 * stanza `events`.
 */
export interface ClickEventOptions {
  /** Value of `node_name`; default: the host name. */
  readonly nodeName?: string;
  /** Value of `customer_id` for messages that have none of their own; default: none. */
  readonly customerId?: string;
  /** Whether the address of the reader is cut to its network; default false. */
  readonly anonymizeIp?: boolean;
  /**
   * Clicks look automatic within so many milliseconds of the injection, or of one another; default
   * 10,000.
   */
  readonly automaticWithinMs?: number;
  /** The signs that make a click automatic; default: those of `automatic_when`. */
  readonly automaticWhen?: readonly AutomationReason[];
  /** Networks of scanners, and `file:PATH` for files with one per line; default: none. */
  readonly automaticNetworks?: readonly string[];
}

/** Options of `createRedirectHandler`: `redis`, `keyFile` or both say which links it answers. */
export interface RedirectHandlerOptions {
  /**
   * The folder of clicks that are kept on this host (`events/`), and of the block list of sealed
   * links (`blocked`). With the `state_directory` of the service, `clickmilter events`, `report`,
   * `block` and the webhook work as they do for its own.
   */
  readonly stateDirectory: string;
  /**
   * The Redis of stored links and of their clicks: options of the stanza `redis` in camelCase, with
   * the same defaults. Without it, only sealed links are answered, and clicks are kept in
   * `stateDirectory`.
   */
  readonly redis?: Partial<RedisOptions>;
  /**
   * The `key_file` of sealed links, which must exist. It is read again when it changes. Without it,
   * only stored links are answered.
   */
  readonly keyFile?: string;
  /**
   * Takes each click event, in place of the store: no click is kept or counted there. The reader is
   * redirected when the promise settles, and also if it rejects.
   */
  readonly onClick?: (event: ClickEvent) => void | Promise<void>;
  /** The contents of click events, and the signs of automation. */
  readonly events?: ClickEventOptions;
  /** Whether the Host of a request must be the tracking domain of its link; default true. */
  readonly checkHost?: boolean;
  /**
   * The tracking domains, which no link is made to lead to by `clickmilter retarget`. Needed where
   * `checkHost` is false and links are sealed: then at most 100.
   */
  readonly trackingDomains?: readonly string[];
  /**
   * Addresses and networks of the proxies whose X-Forwarded-For and X-Forwarded-Host headers are
   * trusted; `unix` for those that connect to a unix socket. Default: none.
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Whether clicks of readers whose browser sends Sec-GPC or DNT are counted but attributed to
   * nobody; default false.
   */
  readonly respectGpc?: boolean;
  /** Whom readers may ask, an address or a URL, for the pages that say so; default: nobody. */
  readonly contact?: string;
  /** The folder of your own pages: `404.html`, `404.de.html` …; default: the shipped pages. */
  readonly pages?: string;
  /** The log, such as a pino logger; default: nothing is logged. */
  readonly logger?: Logger;
}

/** What `createRedirectHandler` makes. */
export interface RedirectHandler {
  /**
   * Answers a request of node:http or of what is built on it: 302 to the target of a link, 404 for
   * everything that is not a link. It answers every request itself, and never throws.
   */
  readonly handler: RequestListener;
  /**
   * Keeps the clicks that wait, and closes connections and files. Call it when the server has
   * answered its last request.
   * @throws Error where something did not end within ten seconds
   */
  close(): Promise<void>;
}

const CLOSE_MS = 10_000;

/**
 * Creates a handler that answers tracked links as the redirect endpoint of the service does: the
 * same answers, host check, signs of automation and click events.
 * @throws TypeError for options that cannot be right
 * @throws Error that names a file which cannot be read
 */
export async function createRedirectHandler(
  options: RedirectHandlerOptions,
): Promise<RedirectHandler> {
  const { keyFile, redis, onClick, logger = silent } = options;
  check(options);
  const context = { file: '', stateDirectory: options.stateDirectory };
  const withDefaults = <D extends Definitions>(table: D, given: object = {}): Fields<D> => ({
    ...stanzaFields(table, undefined, context),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  });
  const { checkHost, trustedProxies, respectGpc, contact, pages } = options;
  const events = withDefaults(eventsOptions, options.events);
  const releasers = new Releasers();
  const close = () => releasers.release(CLOSE_MS);
  try {
    const keys = keyFile === undefined ? undefined : await openKeys(keyFile, logger, releasers);
    const store = await openStore(
      {
        linkStore: redis === undefined ? 'sealed' : 'redis',
        redis: withDefaults(redisOptions, redis),
        sealed: withDefaults(sealedOptions, { keyFile }),
        events,
      },
      logger,
      noMetrics,
    );
    releasers.addFoundation('store', () => store.close());
    const sealed = keys && createSealedLinks(keys.keys, () => options.trackingDomains ?? []);
    const trackingHosts = new Set(options.trackingDomains?.map(hostName));
    const { handler } = await openRedirect({
      store,
      trackingHosts: () => trackingHosts,
      resolver: sealed === undefined ? store.resolver : linksOf(store, sealed).resolver,
      http: withDefaults(httpOptions, { checkHost, trustedProxies, respectGpc, contact, pages }),
      events,
      ...(onClick && { sink: appenderTo(onClick) }),
      logger,
      metrics: noMetrics,
      releasers,
    });
    return { handler, close };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

function check({ redis, keyFile, checkHost, trackingDomains }: RedirectHandlerOptions): void {
  const refuse = (problem: string): never => {
    throw new TypeError(`createRedirectHandler: ${problem}`);
  };
  if (redis === undefined && keyFile === undefined) {
    refuse('neither redis nor keyFile: expected one of them, or both');
  }
  if (checkHost === false && keyFile !== undefined && !trackingDomains?.length) {
    refuse('checkHost is false, and sealed links need their host: expected trackingDomains');
  }
  const domains = trackingDomains?.length ?? 0;
  if (checkHost === false && keyFile !== undefined && domains > MAX_DOMAINS_TRIED) {
    refuse(
      `checkHost is false, with ${domains} trackingDomains: expected at most ${MAX_DOMAINS_TRIED}`,
    );
  }
  try {
    if (redis?.url !== undefined) parseRedisUrl(redis.url);
  } catch (error) {
    refuse(`redis.url: ${reasonOf(error)}`);
  }
}

/**
 * Opens the keys, and reads them again when their file changes: `clickmilter keygen` adds a key.
 */
async function openKeys(
  keyFile: string,
  logger: Logger,
  releasers: Releasers,
): Promise<SealKeyFile> {
  // The service creates a missing file. Here, keys that no link was sealed with would only hide a
  // wrong path.
  await access(keyFile);
  const keys = await SealKeyFile.open(keyFile);
  const reload = () =>
    keys.reload().catch((error) => {
      const message = 'the sealing keys cannot be read again; the old ones stay in use';
      logFailure(logger, 'error', error, message, { keyFile });
    });
  releasers.add('sealing keys', watchFiles([keyFile], reload));
  return keys;
}

function appenderTo(onClick: (event: ClickEvent) => void | Promise<void>) {
  return {
    async append(events: readonly string[]) {
      for (const event of events) await onClick(JSON.parse(event));
    },
  };
}
