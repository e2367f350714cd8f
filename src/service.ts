import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { openClicks } from './clicks.ts';
import type { Configuration } from './config/configuration.ts';
import { reloaded } from './config/reloaded.ts';
import { Metrics, type MetricsSnapshot } from './control/metrics.ts';
import { createControlServer } from './control/server.ts';
import { deliverEvents } from './deliver-events.ts';
import { clickFilter } from './filter/click-filter.ts';
import type { MessageReport } from './filter/report.ts';
import type { LinkIssuer, LinkResolver } from './link/link-store.ts';
import { filterSettings, type Links, openLinks } from './links.ts';
import {
  clearWay,
  describePlace,
  grantAccess,
  listenOptions,
  type Place,
  places,
} from './listen.ts';
import { type Logger, leftAloneBy, logMessage } from './log.ts';
import { logMilterEvent } from './log-milter-event.ts';
import { createMilterServer } from './milter/server.ts';
import { Releasers } from './process/releasers.ts';
import { inheritedSockets } from './process/sockets.ts';
import { watchFiles } from './process/watch-files.ts';
import { createRedirect } from './redirect/redirect.ts';
import { RedirectServer } from './redirect/redirect-server.ts';
import { version } from './version.ts';

/** What a process of the service may do; `control` is health and metrics. */
export const roles = ['milter', 'redirect', 'events', 'control'] as const;
export type Role = (typeof roles)[number];

export interface ServiceOptions {
  readonly logger: Logger;
  /** Default: all of them. */
  readonly roles?: readonly Role[];
  /** The slot of this process among workers; default `main`. */
  readonly worker?: string;
  /** Metrics of other processes that are to be shown along with those of this one. */
  readonly otherSnapshots?: () => Promise<readonly MetricsSnapshot[]>;
}

/** A running service. */
export interface Service {
  /** Where it listens, for people: `milter` → `127.0.0.1:8893` … */
  readonly addresses: ReadonlyMap<Role, readonly string[]>;
  /**
   * Takes over what `reloaded` does of a new configuration, and keys and certificates from their files.
   * Whatever fails leaves the old one in use.
   * @throws Error that says what could not be read
   */
  reload(config: Configuration): Promise<void>;
  readonly metrics: Metrics;
  /** Lets SMTP sessions and requests that have begun come to their end, within the drain time-out. */
  close(): Promise<void>;
}

/**
 * The composition root: the only place where the rooms meet.
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

/** What the parts of the service share. */
interface Context {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly links: Links;
  readonly releasers: Releasers;
  /** The configuration in use now. */
  config(): Configuration;
}

async function compose(
  initial: Configuration,
  options: ServiceOptions,
  releasers: Releasers,
): Promise<Service> {
  let config = initial;
  const { logger } = options;
  const metrics = new Metrics(options.worker ?? 'main', version);
  const links = await openLinks(config, {
    store: (unavailable) =>
      unavailable === undefined
        ? logger.info('Redis answers again')
        : logger.error({ reason: unavailable }, 'Redis is not available'),
    blockList: (problem) => logger.error({ problem }, 'the block list is not as it should be'),
  });
  releasers.add('links', () => links.close());
  const context: Context = { logger, metrics, links, releasers, config: () => config };

  const wanted = new Set(options.roles ?? roles);
  const inherited = inheritedSockets();
  const addresses = new Map<Role, readonly string[]>();
  const open = async (role: Role, listens: readonly Place[]) => {
    if (!wanted.has(role) || listens.length === 0) return undefined;
    if (options.worker === undefined) await clearWay(listens);
    addresses.set(role, listens.map(describePlace));
    return listens;
  };

  const milter = await open('milter', places(config.milter.listen, inherited, 'milter'));
  if (milter !== undefined) await serveMilter(milter, context);
  const http = await open('redirect', places(config.http.listen, inherited, 'redirect'));
  const certificates = http && (await serveRedirect(http, context));
  if (wanted.has('events')) {
    const delivery = deliverEvents(config, links, logger);
    releasers.add('webhook', () => delivery.close(config.milter.drainTimeoutMs));
    metrics.gauge('events_undelivered', async () => (await delivery.backlog()).events);
    metrics.gauge('events_oldest_undelivered_seconds', async () => {
      const { oldest } = await delivery.backlog();
      return oldest === undefined ? 0 : (Date.now() - oldest) / 1000;
    });
  }
  const control = await open('control', places(config.control.listen, inherited, 'control'));
  if (control !== undefined) await serveControl(control, context, options);

  if (options.worker === undefined) void warnOfStore(links, logger);
  return {
    addresses,
    async reload(next) {
      const taken = reloaded(initial, next);
      await links.keys.reload();
      certificates?.reload(taken);
      logger.level = taken.log.level;
      config = taken;
    },
    metrics,
    close: () => releasers.release(config.milter.drainTimeoutMs + 5000),
  };
}

async function serveMilter(listens: readonly Place[], context: Context): Promise<void> {
  const { logger, metrics, links, releasers, config } = context;
  const { milter } = config();
  const onReport = (report: MessageReport) => {
    logMessage(logger, config().log.detail, report);
    observe(metrics, report);
  };
  // Made anew only when the configuration is: the filter asks for it with each message.
  let settings = { of: config(), value: filterSettings(config()) };
  const filter = clickFilter({
    ...links,
    issuer: timedIssuer(links.issuer, metrics),
    settings() {
      const now = config();
      if (settings.of !== now) settings = { of: now, value: filterSettings(now) };
      return settings.value;
    },
    onReport,
  });
  const server = createMilterServer(filter, {
    // What cannot be tracked is delivered untracked, whatever the reason.
    onException: 'accept',
    onEvent: (event) => logMilterEvent(logger, event),
    limits: {
      connections: milter.maxConnections,
      headerCount: milter.maxHeaderCount,
      headerBytes: milter.maxHeaderSize,
      recipients: milter.maxRecipients,
      // The transform has the same limit, and lets the rest pass unread.
      bodyBytes: Number.POSITIVE_INFINITY,
    },
    timeouts: { idle: milter.idleTimeoutMs, write: milter.writeTimeoutMs },
  });
  metrics.gauge('milter_connections', () => server.connections);
  releasers.add('milter', async () => {
    const cut = await server.close({ deadline: config().milter.drainTimeoutMs });
    if (cut.length > 0) {
      logger.warn(
        { sessions: cut.length, queueIds: cut.flatMap(({ queueId }) => queueId ?? []) },
        'SMTP sessions were cut off',
      );
    }
  });
  for (const place of listens) {
    const listener = createServer();
    // Before it listens: what connects at once must not go unheard.
    await server.listen(listener);
    await listening(listener, place);
  }
}

async function serveRedirect(listens: readonly Place[], context: Context) {
  const { logger, metrics, links, releasers, config } = context;
  const { http } = config();
  const clicks = await openClicks(config(), links, logger, (kept, count) =>
    metrics.click(kept, count),
  );
  releasers.add('clicks', () => clicks.close());
  const redirect = createRedirect({
    resolver: timedResolver(links, metrics),
    blocks: links.blocks,
    clicks,
    checkHost: http.checkHost,
    trustedProxies: http.trustedProxies,
    ...(http.staticFolder !== undefined && { staticFolder: http.staticFolder }),
    observer: {
      answered: (status) => metrics.redirect(status),
      clickLost(error) {
        metrics.click(false);
        logger.error({ err: error }, 'a click was lost');
      },
      failed: (error) => logger.error({ err: error }, 'a link could not be looked up'),
    },
  });
  const server = new RedirectServer(redirect, {
    maxConnections: http.maxConnections,
    requestTimeoutMs: http.requestTimeoutMs,
    ...(http.tls !== undefined && { tls: readTls(http.tls) }),
  });
  releasers.add('redirect', () => server.close(config().milter.drainTimeoutMs));
  for (const place of listens) {
    await server.listen(listenOptions(place));
    await grantAccess(place);
  }
  const reload = ({ http: { tls } }: Configuration): void => {
    if (tls !== undefined) server.setTls(readTls(tls));
  };
  if (http.tls !== undefined) {
    // Whoever renews a certificate need not know of us.
    const renewed = () => {
      try {
        reload(config());
        logger.info('the certificate has changed');
      } catch (error) {
        logger.error({ err: error }, 'the new certificate cannot be used, the old one stays');
      }
    };
    releasers.add('certificate', watchFiles([http.tls.certificate, http.tls.key], renewed));
  }
  return { reload };
}

async function serveControl(
  listens: readonly Place[],
  { links, metrics, releasers }: Context,
  { otherSnapshots = async () => [] }: ServiceOptions,
): Promise<void> {
  for (const place of listens) {
    const server = createControlServer({
      ready: () => notReady(links),
      snapshots: async () => [await metrics.snapshot(), ...(await otherSnapshots())],
    });
    await listening(server, place);
    releasers.add('control', () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

/** What an operator should know of the store before trusting it; that it is away is said elsewhere. */
async function warnOfStore({ store }: Links, logger: Logger): Promise<void> {
  const health = await store?.health().catch(() => undefined);
  for (const warning of health?.warnings ?? []) logger.warn(warning);
}

async function notReady({ store }: Links): Promise<string[]> {
  try {
    await store?.health();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Settles with the server when it listens there. */
async function listening<S extends Server>(server: S, place: Place): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenOptions(place), () => {
      server.off('error', reject);
      resolve();
    });
  });
  await grantAccess(place);
  return server;
}

function readTls({ certificate, key }: { certificate: string; key: string }) {
  return { cert: readFileSync(certificate), key: readFileSync(key) };
}

function timedResolver({ resolver }: Links, metrics: Metrics): LinkResolver {
  return { resolve: (token) => timed(metrics, 'resolve', () => resolver.resolve(token)) };
}

function timedIssuer(issuer: LinkIssuer, metrics: Metrics): LinkIssuer {
  if (issuer.kind === 'sealed') return issuer; // there is no store to wait for
  return {
    kind: issuer.kind,
    issue(message) {
      const issued = issuer.issue(message);
      return {
        token: (link) => issued.token(link),
        commit: (signal) => timed(metrics, 'save', () => issued.commit(signal)),
      };
    },
  };
}

async function timed<T>(metrics: Metrics, operation: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let failed = true;
  try {
    const result = await work();
    failed = false;
    return result;
  } finally {
    metrics.store(operation, (performance.now() - start) / 1000, failed);
  }
}

function observe(metrics: Metrics, report: MessageReport): void {
  metrics.message({
    verdict: report.verdict,
    ...(report.reason !== undefined && { reason: report.reason }),
    seconds: report.milliseconds / 1000,
    linksTracked: report.links.filter((link) => link.tracked).length,
    linksLeftAlone: leftAloneBy(report.links),
  });
}
