import { createServer } from 'node:http';
import { describeSource } from '../config/describe-source.ts';
import { writeValue } from '../config/write-value.ts';
import { inBackground } from '../lib/background.ts';
import { logFailure } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { createSealedLinks } from '../link/sealed-links.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import { openStore } from '../store/open-store.ts';
import { Rulings } from '../store/rulings.ts';
import type { Store } from '../store/store.ts';
import { version } from '../version.ts';
import { LoginToken, readLoginToken } from '../web/login-token.ts';
import type { PathwayOption } from '../web/message-found.ts';
import { isLocal } from '../web/rights.ts';
import { createWeb } from '../web/web.ts';
import type { Context } from './context.ts';
import { linksOf } from './links.ts';
import { describePlace, listening, type Place, pageAddress, WrongPlace } from './listen.ts';

/** After this time, the page reads what most views need: the request that started it goes first. */
const WARM_AFTER_MS = 1_000;
/** Bytes of request line and headers together: names of campaigns stand in addresses. */
const MAX_HEADER_SIZE = 65_536;

/**
 * Serves the engagement page until it is released. It has a store of its own, so that what it reads
 * waits behind no mail and no click.
 * @returns `reload` reads the token again; another one ends every session, and one that cannot be
 * used is logged
 */
export async function serveWeb(listens: readonly Place[], context: Context) {
  const { logger, metrics, releasers, config } = context;
  const { web } = config();
  const store = await openStore(config(), logger, noMetrics);
  releasers.addFoundation('store of the engagement page', () => store.close());
  const { tokenFile } = web;
  const token =
    tokenFile === undefined ? undefined : new LoginToken(readLoginToken(tokenFile), metrics);
  const page = await createWeb({
    ...web,
    version,
    token,
    reports: store.counters,
    previews: store.previews,
    events: store.events,
    messages: messageSources(store, context),
    logger,
    metrics,
  });
  releasers.addFoundation('engagement page', () => page.close());
  const { requestTimeoutMs: requestTimeout, maxConnections } = web;
  metrics.count('web_refused_total', { limit: 'max_connections' }, 0);
  for (const place of listens) {
    const options = {
      maxHeaderSize: MAX_HEADER_SIZE,
      requestTimeout,
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
    };
    const server = createServer(options);
    page.attach(server);
    server.maxConnections = maxConnections;
    server.on('drop', () => metrics.count('web_refused_total', { limit: 'max_connections' }));
    await listening(server, place);
    const address = server.address();
    if (
      token === undefined &&
      typeof address === 'object' &&
      address !== null &&
      !isLocal(address.address)
    ) {
      server.close();
      throw new WrongPlace(
        `${describePlace(place)} is reached from other hosts: set token_file in Web_Listener`,
      );
    }
    releasers.add('engagement page', () => {
      server.close();
      server.closeAllConnections();
    });
    logger.info(`engagement page on ${pageAddress(place) ?? describePlace(place)}`);
  }
  const task = 'read names and counts for the engagement page';
  const reading = setTimeout(() => inBackground(task, page.warm), WARM_AFTER_MS).unref();
  releasers.add(task, () => clearTimeout(reading));
  // Last, since a gauge cannot be defined again by a page that is opened again.
  metrics.gauge('web_live_viewers', page.viewers);
  return {
    reload(): void {
      if (tokenFile === undefined) return;
      try {
        if (token?.replace(readLoginToken(tokenFile))) page.endSessions();
      } catch (error) {
        const message = 'token_file cannot be used: the old token stays in use';
        logFailure(logger, 'error', error, message);
      }
    },
  };
}

/** The sources of the view of messages, some of which it changes: stored links, sealed ones, rulings and scopes. */
function messageSources(store: Store, { links, config }: Context) {
  const sealed = createSealedLinks(links.keys.keys, () => config().scopes.trackingDomains);
  const { resolver } = linksOf(store, sealed);
  const trackingHosts = () => config().scopes.trackingHosts;
  return {
    store,
    resolver,
    trackingHosts,
    rulings: new Rulings({ resolver, blocks: store.blocks, trackingHosts }),
    detail: () => config().log.detail,
    explainPathway: (pathway: string | undefined) => explainPathway(config().scopes, pathway),
  };
}

/**
 * Explains which options hold now for mail of a pathway, and where each is set. Links hold no more
 * of what scopes are matched by, so where listener or client matter there are several values.
 */
function explainPathway(scopes: ScopeTree, pathway: string | undefined): PathwayOption[] {
  return [...scopes.possibleSettings(pathway)].flatMap(([option, settings]) =>
    settings.map((setting) => ({
      option,
      value: writeValue(setting.value),
      source: describeSource(setting),
    })),
  );
}
