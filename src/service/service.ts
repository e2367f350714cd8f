import type { Configuration } from '../config/configuration.ts';
import type { Settings } from '../config/settings.ts';
import { reportBackgroundFailures } from '../lib/background.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import { version } from '../version.ts';
import type { Context } from './context.ts';
import { type OtherProcesses, serveControl } from './control.ts';
import { openLinks } from './links.ts';
import {
  clearWay,
  describePlace,
  type Listener,
  type Place,
  placesOf,
  type Role,
  roles,
} from './listen.ts';
import { ProcessMetrics } from './metrics.ts';
import { Releasers } from './releasers.ts';
import { serveEvents } from './serve-events.ts';
import { serveRedirect } from './serve-redirect.ts';
import { watchStore } from './store-watch.ts';

export interface ServiceOptions {
  /** The log of this process. A reload sets its level. */
  readonly logger: Logger & { level: string };
  /** The parts of the service that this process runs; default: all. */
  readonly roles?: readonly Role[];
  /** The metrics of this process; default: new ones. */
  readonly metrics?: ProcessMetrics;
  /** The slot of this process, where it is a worker. */
  readonly worker?: string;
  /**
   * Whether pages and networks that cannot be read are no reason not to start, as for a worker that
   * replaces one hours later: they may have been edited since.
   */
  readonly mustServe?: boolean;
  /** The workers, where this process is their primary. */
  readonly workers?: OtherProcesses;
}

/** A running service. */
export interface Service {
  /** The addresses where each role listens, as people read them: `127.0.0.1:8893` … */
  readonly addresses: ReadonlyMap<Role, readonly string[]>;
  /**
   * Takes over a configuration, which differs only in what a reload can change, and keys and
   * certificates from their files. A failure leaves the old one in use.
   * @throws Error that says what could not be read
   */
  reload(config: Configuration): Promise<void>;
  /** Reads the keys from their file again. @throws Error that says what could not be read */
  readKeys(): Promise<void>;
  readonly metrics: ProcessMetrics;
  /** The settings in use. */
  settings(): Settings;
  /**
   * Stops listening before it returns, and lets open SMTP sessions and requests finish.
   * @param hurry when drain_timeout begins; default: now. Until then sessions may take any time
   * @throws Error that names what did not end, once it is logged
   */
  close(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts the service: the composition root, where all rooms meet.
 * @throws Error where something cannot be opened; what was opened before is closed again
 */
export async function startService(
  config: Configuration,
  options: ServiceOptions,
): Promise<Service> {
  const releasers = new Releasers();
  try {
    return await compose(config, options, releasers);
  } catch (error) {
    await releasers.release(config.milter.drainTimeoutMs).catch(() => {});
    throw error;
  }
}

async function compose(
  initial: Configuration,
  options: ServiceOptions,
  releasers: Releasers,
): Promise<Service> {
  let config = initial;
  const { logger } = options;
  reportBackgroundFailures((task, error) =>
    logFailure(logger, 'error', error, `background task failed: ${task}`),
  );
  const metrics = options.metrics ?? new ProcessMetrics(options.worker ?? 'main', version);
  const links = await openLinks(config, logger, metrics, () => config.scopes.trackingDomains);
  releasers.addFoundation('links', () => links.close());
  const context: Context = { logger, metrics, links, releasers, config: () => config };

  const wanted = new Set(options.roles ?? roles);
  const addresses = new Map<Role, readonly string[]>();
  const open = async (role: Listener) => {
    const listens = wanted.has(role) ? placesOf(role, config) : [];
    if (listens.length === 0) return undefined;
    if (options.worker === undefined) await clearWay(listens);
    addresses.set(role, listens.map(describePlace));
    return listens;
  };

  let isClosing = false;
  const openWeb = async () => {
    try {
      const listens = await open('web');
      return listens && (await openPage(listens, context, () => isClosing));
    } catch (error) {
      addresses.delete('web');
      // Alone it has nothing to go on for.
      if (addresses.size === 0 && options.workers === undefined) throw error;
      const message =
        'engagement page failed: mail and clicks are served, and a reload tries it again';
      logFailure(logger, 'error', error, message);
      return undefined;
    }
  };

  const milter = await open('milter');
  if (milter !== undefined) {
    // Loaded only where it is used: the page is started by its first request, which waits for it.
    const { serveMilter } = await import('./serve-milter.ts');
    await serveMilter(milter, context);
  }
  const http = await open('redirect');
  const certificates = http && (await serveRedirect(http, context, options.mustServe));
  if (wanted.has('events')) serveEvents(context);
  let web = await openWeb();
  try {
    const control = await open('control');
    if (control !== undefined) await serveControl(control, context, [...wanted], options.workers);
  } catch (error) {
    // Mail and links do not need it, and a service with other roles of the same configuration may
    // have the address.
    const reason = (error as Error).message;
    logger.error({ reason }, 'control listener failed: health and metrics are not served');
  }

  const storeHealth = () => {
    const { fingerprint } = links.keys.keys();
    return links.store.health({ fingerprint, announceAs: config.events.nodeName });
  };
  if (options.worker === undefined) {
    releasers.add('watching the store', watchStore(storeHealth, logger));
  }
  return {
    addresses,
    async reload(next) {
      await links.keys.reload();
      certificates?.reload(next);
      web?.reload();
      logger.level = next.log.level;
      config = next;
      web ??= await openWeb();
    },
    readKeys: () => links.keys.reload(),
    metrics,
    settings: () => config.settings(),
    async close(hurry) {
      isClosing = true;
      try {
        await releasers.release(config.milter.drainTimeoutMs + 5000, hurry);
      } catch (error) {
        logger.error(
          { reason: (error as Error).message },
          'shutdown incomplete: sessions or clicks may be lost',
        );
        throw error;
      }
    },
  };
}

/**
 * Opens the engagement page.
 * @param isClosing whether the service has been closed meanwhile
 * @throws Error where it cannot be served; nothing of it stays open then
 */
async function openPage(
  listens: readonly Place[],
  context: Context,
  isClosing: () => boolean,
): Promise<{ reload(): void }> {
  const releasers = new Releasers();
  const release = (hurry?: AbortSignal) =>
    releasers.release(context.config().milter.drainTimeoutMs, hurry);
  try {
    // Loaded only where it is used: its libraries take 40 MB.
    const { serveWeb } = await import('./serve-web.ts');
    const page = await serveWeb(listens, { ...context, releasers });
    if (isClosing()) await release();
    else context.releasers.add('engagement page', release);
    return page;
  } catch (error) {
    await release().catch(() => {});
    throw error;
  }
}
