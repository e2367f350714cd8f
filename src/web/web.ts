import type { Server } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Logger, logFailure, reasonOf } from '../lib/logger.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import type { Reports } from '../store/store.ts';
import { assets } from './assets.ts';
import { campaignView } from './campaign.ts';
import { html } from './html.ts';
import { page } from './layout.ts';
import { describeRoutes } from './openapi.ts';
import { overviewView } from './overview.ts';
import { wantsJson } from './respond.ts';
import { observeConnections, rightsOf } from './rights.ts';
import { rowsView } from './rows.ts';

export interface WebOptions {
  /** The version of the program. */
  readonly version: string;
  /** The most requests that are answered at the same time. */
  readonly maxRequests: number;
  readonly reports: Reports;
  readonly logger: Logger;
}

/** The engagement page, which listens nowhere. */
export type Web = Awaited<ReturnType<typeof createWeb>>;

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

export async function createWeb({ version, maxRequests, reports, logger }: WebOptions) {
  const app = fastify({
    bodyLimit: 16_384,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    routerOptions: { maxParamLength: 100 },
  }).withTypeProvider<TypeBoxTypeProvider>();

  let inProgress = 0;
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (inProgress >= maxRequests) {
      reply.header('retry-after', '1');
      return refuse(request, reply, 503, 'too many requests are in progress: try again');
    }
    inProgress++;
    reply.raw.once('close', () => inProgress--);
    if (!rightsOf(request.raw, false).look) {
      return refuse(request, reply, 403, 'only this machine may look: set token_file');
    }
  });
  // An input that is left empty is no filter.
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
    const { statusCode = 500 } = error;
    if (statusCode < 500) return refuse(request, reply, statusCode, reasonOf(error));
    logFailure(logger, 'error', error, 'engagement page: a request failed');
    return refuse(request, reply, 500, 'this request failed: the log says why');
  });

  await describeRoutes(app, version);
  await app.register(assets);
  await app.register(overviewView, { reports });
  await app.register(campaignView, { reports });
  await app.register(rowsView, { reports });
  await app.ready();
  return {
    app,
    /** Answers the requests of a server. */
    attach(server: Server): void {
      observeConnections(server);
      server.on('request', (request, response) => app.routing(request, response));
    },
    close: () => app.close(),
  };
}

/** Answers with one sentence. */
function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  sentence: string,
): FastifyReply {
  reply.code(status).header('vary', 'Accept');
  if (wantsJson(request)) return reply.type('application/json').send({ error: sentence });
  const title = TITLES[status] ?? 'Not possible';
  const text = page({ title, path: '', content: html`<p role="alert">${sentence}</p>` });
  return reply.type('text/html; charset=utf-8').send(text.toString());
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'A parameter is not right',
  403: 'Not allowed',
  404: 'Not found',
  503: 'Not now',
};
