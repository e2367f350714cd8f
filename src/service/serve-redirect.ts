import { X509Certificate } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { ReloadedSettings } from '../click/automation.ts';
import { ClickRecorder, type RecorderOptions } from '../click/click-recorder.ts';
import type { Configuration } from '../config/configuration.ts';
import { readWhole } from '../lib/files.ts';
import { type Detail, type Logger, logFailure } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { LinkResolver } from '../link/link-store.ts';
import { Pages, type PagesOptions } from '../redirect/pages.ts';
import { createRedirect, type RedirectOptions } from '../redirect/redirect.ts';
import { RedirectServer } from '../redirect/redirect-server.ts';
import type { EventAppender } from '../store/events.ts';
import { LocalClicks, RecentClicks } from '../store/recent-clicks.ts';
import { Settlement } from '../store/settlement.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { grantAccess, listenOptions, type Place } from './listen.ts';
import type { Releasers } from './releasers.ts';
import { timedResolver } from './store-watch.ts';

/** The parts that answer requests. */
export interface RedirectParts {
  readonly store: Store;
  /** Finds links of the store, and sealed ones. */
  readonly resolver: LinkResolver;
  readonly trackingHosts: () => ReadonlySet<string>;
  readonly http: Pick<
    RedirectOptions,
    'checkHost' | 'trustedProxies' | 'respectGpc' | 'staticFolder'
  > &
    PagesOptions;
  readonly events: Omit<RecorderOptions, 'events' | 'counter'>;
  /** Takes the click events, in place of the store. */
  readonly sink?: EventAppender;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly detail?: () => Detail;
  /** Releases what is opened here. */
  readonly releasers: Releasers;
  /** Whether to serve without pages and networks that cannot be read; default: throws. */
  readonly mustServe?: boolean | undefined;
}

export interface Redirect {
  readonly handler: RequestListener;
  /**
   * Takes over what looks automatic, and reads the pages again.
   * @throws Error where one of them cannot be used
   */
  reload(settings: ReloadedSettings, pages: PagesOptions): void;
}

/**
 * Opens all that answers a request for a link, from the request to the click that is kept. Listens
 * nowhere.
 */
export async function openRedirect(parts: RedirectParts): Promise<Redirect> {
  const { store, resolver, trackingHosts, http, sink, logger, metrics, detail, releasers } = parts;
  const { automaticWithinMs } = parts.events;
  const events =
    sink === undefined
      ? await store.events.openAppender()
      : new LocalClicks(sink, new RecentClicks(automaticWithinMs));
  const readOr = <T>(read: () => T, otherwise: () => T, message: string): T => {
    try {
      return read();
    } catch (error) {
      if (!parts.mustServe) throw error;
      logFailure(logger, 'error', error, message);
      return otherwise();
    }
  };
  const { pages: _own, ...shipped } = http;
  let pages = readOr(
    () => new Pages(http),
    () => new Pages(shipped),
    'pages cannot be used: readers get the shipped ones until a reload',
  );
  const recorder = (settings: RedirectParts['events']) =>
    new ClickRecorder({ ...settings, events, logger, metrics });
  const clicks = readOr(
    () => recorder(parts.events),
    () => recorder({ ...parts.events, automaticNetworks: [] }),
    'automatic_networks cannot be used: no network is a sign of automation until a reload',
  );
  releasers.addFoundation('clicks', async () => {
    await clicks.close();
    await events.close();
  });
  if (sink === undefined) {
    const { events, counters } = store;
    const settlement = new Settlement({ events, counters, automaticWithinMs, logger, metrics });
    settlement.start();
    releasers.add('counting clicks', () => settlement.close());
  }
  const handler = createRedirect({
    ...http,
    resolver: timedResolver(resolver, metrics),
    blocks: store.blocks,
    optOuts: store.optOuts,
    trackingHosts,
    pages: () => pages,
    clicks,
    logger,
    metrics,
    ...(detail && { detail }),
  });
  return {
    handler,
    reload(settings, options) {
      const read = new Pages(options);
      clicks.reload(settings);
      pages = read;
    },
  };
}

/**
 * Serves the redirect endpoint until it is released.
 * @param mustServe as in RedirectParts
 * @returns `reload` reads certificate, key, pages and scanners' networks again
 */
export async function serveRedirect(
  listens: readonly Place[],
  context: Context,
  mustServe?: boolean,
) {
  const { logger, metrics, links, releasers, config } = context;
  const { http, events } = config();
  const redirect = await openRedirect({
    ...links,
    trackingHosts: () => config().scopes.trackingHosts,
    http,
    events,
    logger,
    metrics,
    detail: () => config().log.detail,
    releasers,
    mustServe,
  });
  let { tls } = readTls(http);
  const server = new RedirectServer(redirect.handler, {
    ...http,
    logger,
    metrics,
    ...(tls && { tls }),
  });
  releasers.add('redirect', (hurry) => server.close(config().milter.drainTimeoutMs, hurry));
  for (const place of listens) {
    await server.listen(listenOptions(place));
    await grantAccess(place);
  }
  const use = (renewed: typeof tls): void => {
    if (renewed === undefined) return;
    server.setTls(renewed);
    tls = renewed;
  };
  const { tlsCertificate, tlsKey } = http;
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    metrics.gauge('tls_certificate_end_seconds', () => tls && endOf(tls.cert));
    // Not every certificate tool sends SIGHUP after a renewal. What else a reload reads may be half
    // edited just then, and would keep the new certificate out.
    const renewed = () => {
      try {
        use(readTls(config().http).tls);
        logger.info({ tlsCertificate }, 'certificate renewed: new connections use it');
      } catch (error) {
        const message = 'renewed certificate cannot be used; the old one stays in use';
        logFailure(logger, 'error', error, message, { tlsCertificate });
      }
    };
    releasers.add('certificate', watchFiles([tlsCertificate, tlsKey], renewed));
  }
  const reload = ({ http: next, events: nextEvents }: Configuration): void => {
    const renewed = readTls(next).tls;
    redirect.reload(nextEvents, next);
    use(renewed);
  };
  return { reload };
}

function readTls({ tlsCertificate, tlsKey }: Configuration['http']) {
  if (tlsCertificate === undefined || tlsKey === undefined) return {};
  const cert = readNamed('tls_certificate', tlsCertificate);
  return { tls: { cert, key: readNamed('tls_key', tlsKey) } };
}

/** When a certificate expires, as Unix time. */
function endOf(pem: Buffer): number {
  return Date.parse(new X509Certificate(pem).validTo) / 1000;
}

function readNamed(option: string, file: string): Buffer {
  try {
    return readWhole(file);
  } catch (error) {
    throw new Error(`${option}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Calls back when one of the files has changed: it was written, replaced, or is a symbolic link
 * that leads elsewhere, as those of certbot do. It polls every `intervalMs`, since a watch of the
 * kernel sticks to the file that was there first. Files that change within one interval are one
 * change.
 * @returns stops watching
 */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  intervalMs = 10_000,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, Math.min(intervalMs, 1_000));
    timer.unref();
  };
  for (const path of paths) watchFile(path, { interval: intervalMs, persistent: false }, changed);
  return () => {
    clearTimeout(timer);
    for (const path of paths) unwatchFile(path, changed);
  };
}
