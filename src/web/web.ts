import type { Server } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import { type Logger, logFailure, reasonOf } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import type { Reports } from '../store/counters.ts';
import type { Events } from '../store/events.ts';
import type { Previews } from '../store/store.ts';
import { guard } from './access.ts';
import { assets } from './assets.ts';
import { campaignView } from './campaign.ts';
import { clickMapFrame } from './click-map.ts';
import { refusedInput } from './errors.ts';
import { SeveralNames } from './filters.ts';
import { KnownNames } from './known-names.ts';
import { answerRequests, limitRequests } from './limits.ts';
import { createLiveFeed, liveView } from './live.ts';
import { login } from './login.ts';
import type { LoginToken } from './login-token.ts';
import { measureAnswer, measureRequests } from './measure.ts';
import { messageView } from './message.ts';
import type { ChangeSources } from './message-changes.ts';
import type { MessageSources } from './message-look-up.ts';
import { viewsOfOneName } from './one-name.ts';
import { describeRoutes } from './openapi.ts';
import { overviewView } from './overview.ts';
import { refuse } from './respond.ts';
import { observeConnections } from './rights.ts';
import { rowsView } from './rows.ts';
import { Sessions } from './sessions.ts';
import { ShownReports } from './shown-reports.ts';

export interface WebOptions {
  /** The version of the program. */
  readonly version: string;
  /** The most requests that are answered at the same time. */
  readonly maxRequests: number;
  /** Names by which browsers reach the page, beside localhost and addresses. */
  readonly hosts: readonly string[];
  /** The token of the login; absent where there is none. */
  readonly token?: LoginToken | undefined;
  readonly reports: Reports;
  readonly previews: Previews;
  readonly events: Pick<Events, 'openReader' | 'recent'>;
  /** Where links and messages are found and changed, with `log { detail }`. */
  readonly messages: Omit<MessageSources & ChangeSources, 'logger'>;
  /** The most viewers of clicks as they come. */
  readonly maxViewers?: number;
  readonly logger: Logger;
  /** Default: counts nothing. */
  readonly metrics?: Metrics;
}

/** Nothing is loaded but from here, and nothing runs that is not a file. */
const POLICY = [
  "default-src 'none'",
  ...[
    'script-src',
    'style-src',
    'img-src',
    'connect-src',
    'font-src',
    'frame-src',
    'form-action',
  ].map((directive) => `${directive} 'self'`),
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Creates the engagement page, which listens nowhere. */
export async function createWeb(options: WebOptions) {
  const { version, maxRequests, hosts, token, previews, messages, logger } = options;
  const { metrics = noMetrics } = options;
  const { detail } = messages;
  const reports = new ShownReports(options.reports, detail);
  const app = fastify({
    bodyLimit: 16_384,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    routerOptions: { maxParamLength: 100 },
    schemaErrorFormatter: refusedInput,
    // An address that cannot be read comes by no hook.
    frameworkErrors(_error, _request, reply) {
      measureAnswer(metrics, reply.raw);
      reply.hijack();
      reply.raw.writeHead(400, { ...HEADERS, 'content-type': 'text/plain' });
      reply.raw.end('the address is not right\n');
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  const feed = createLiveFeed({ ...options, detail });
  const names = new KnownNames(options.reports, detail);
  const sessions = new Sessions();
  measureRequests(app, metrics);
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(HEADERS);
  });
  guard(app, { hosts, sessions, token });
  limitRequests(app, maxRequests, metrics);
  // Forms, and JSON of programs that have the token: the text of other sites is not read.
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
  );
  // An empty input is not a filter.
  app.addHook('preValidation', async ({ query }) => {
    const parameters = query as Record<string, unknown>;
    for (const [name, value] of Object.entries(parameters)) {
      if (value === '') delete parameters[name];
    }
  });
  app.setNotFoundHandler((request, reply) => refuse(request, reply, 404, 'there is no such page'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof StoreUnavailable) {
      logFailure(logger, 'warn', error, 'engagement page: the store is away');
      reply.header('retry-after', '5');
      return refuse(request, reply, 503, error.message);
    }
    if (error instanceof SeveralNames) {
      const canFilterLive = error.names.tag === undefined || detail() === 'full';
      const ways = viewsOfOneName(request, error.names, canFilterLive);
      return refuse(request, reply, 400, error.message, ways);
    }
    const { statusCode = 500 } = error;
    if (statusCode < 500) return refuse(request, reply, statusCode, reasonOf(error));
    logFailure(logger, 'error', error, 'engagement page: a request failed');
    return refuse(request, reply, 500, 'this request failed: the log says why');
  });

  await describeRoutes(app, version);
  await app.register(assets);
  await app.register(login, { token, sessions, endViews: () => feed.dropViewers(), logger });
  await app.register(overviewView, { reports, names });
  await app.register(campaignView, { reports, previews, names });
  await app.register(clickMapFrame, { reports, previews });
  await app.register(rowsView, { reports, names });
  await app.register(messageView, { ...messages, logger });
  await app.register(liveView, { feed, detail, names });
  await app.ready();
  return {
    app,
    /** Answers the requests of a server. */
    attach(server: Server): void {
      observeConnections(server);
      answerRequests(server, (request, response) => app.routing(request, response));
    },
    /** Reads the names that filters suggest, so that the first view finds them, and their counts. */
    async warm(): Promise<void> {
      await names.read();
    },
    /** How many look at clicks as they come. */
    viewers: () => feed.viewers,
    /** Ends every session, and drops who looks at clicks as they come. */
    endSessions(): void {
      sessions.endAll();
      feed.dropViewers();
    },
    close: () => app.close(),
  };
}
