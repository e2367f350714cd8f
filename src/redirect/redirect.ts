import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { BlockList, ClickSink } from '../link/click.ts';
import { type LinkResolver, type ResolvedLink, StoreUnavailable } from '../link/link-store.ts';
import { clickOn, followLink } from './follow-link.ts';
import {
  BLOCKED,
  COMMON_HEADERS,
  FAILED,
  NOT_ALLOWED,
  NOT_FOUND,
  type Page,
  TOO_LONG,
  UNAVAILABLE,
} from './pages.ts';
import { parseRequestTarget, tokenOf } from './request-target.ts';
import { isStaticPath, readStaticFile } from './static-files.ts';
import { clientAddress, trustedProxies } from './trusted-proxies.ts';

export interface RedirectOptions {
  readonly resolver: LinkResolver;
  readonly blocks: BlockList;
  readonly clicks: ClickSink;
  /** Whether a link answers only to the host it was made for; default true. */
  readonly checkHost?: boolean;
  /** Addresses and networks (CIDR) whose X-Forwarded-For and X-Forwarded-Host count; `unix` for unix sockets. */
  readonly trustedProxies?: readonly string[];
  /** Folder with robots.txt, favicon.ico, .well-known/… */
  readonly staticFolder?: string;
  /** Longest request target in bytes; default 8192. */
  readonly maxUrlLength?: number;
  readonly observer?: RedirectObserver;
}

/** What logs and metrics are made of. Must not throw. */
export interface RedirectObserver {
  /** A request was answered; `resolved` where its token stands for a link of this host. */
  answered?(status: number, token?: string, resolved?: ResolvedLink): void;
  /** A click was redirected but could be kept nowhere. */
  clickLost?(error: unknown): void;
  /** The store was away (503), or we have a defect (500). */
  failed?(error: unknown): void;
}

/** Beside the Location; names and values in turn. */
const REDIRECT_HEADERS = [...Object.entries(COMMON_HEADERS).flat(), 'content-length', '0'];

/**
 * The redirect endpoint as a fastify instance without a socket: `inject` it, or give `routing` to an HTTP server.
 * @throws TypeError for an entry of trustedProxies that is none
 */
export function createRedirect(options: RedirectOptions): FastifyInstance {
  const { resolver, blocks, clicks, staticFolder, observer } = options;
  const checkHost = options.checkHost ?? true;
  const maxUrlLength = options.maxUrlLength ?? 8192;
  const proxies = options.trustedProxies ?? [];

  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    trustProxy: proxies.length > 0 && trustedProxies(proxies),
    // One route for every URL: what is asked for may be absolute, mis-encoded or an attack, and is read by us alone.
    rewriteUrl: () => '/',
  });

  app.route({ method: ['GET', 'HEAD'], url: '/', handler: follow });
  app.setNotFoundHandler((_request, reply) => answer(reply, NOT_ALLOWED));
  app.setErrorHandler((error, request, reply) => {
    const known = request.method === 'GET' || request.method === 'HEAD';
    if (!known) return answer(reply, NOT_ALLOWED);
    observer?.failed?.(error);
    return answer(reply, error instanceof StoreUnavailable ? UNAVAILABLE : FAILED);
  });
  // No body is ever read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  return app;

  async function follow(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const url = request.originalUrl;
    if (url.length > maxUrlLength) return answer(reply, TOO_LONG);
    const target = parseRequestTarget(url);
    if (isStaticPath(target.path)) return sendStatic(target.path, reply);
    const token = tokenOf(target.path);
    if (token === undefined) return answer(reply, NOT_FOUND);

    const host = checkHost ? (target.host ?? request.host).toLowerCase() : undefined;
    const now = Date.now();
    const followed = await followLink({ resolver, blocks }, token, host, now);
    if (followed.kind === 'unknown') return answer(reply, NOT_FOUND, token);
    const { resolved } = followed;
    if (followed.kind === 'blocked') return answer(reply, BLOCKED, token, resolved);

    if (followed.kind === 'live') {
      if (request.method === 'HEAD') clicks.headSeen?.(token);
      else await record(token, resolved, now, request);
    }
    observer?.answered?.(302, token, resolved);
    // Straight to Node: the target as it is, and a third less to do for by far the commonest answer.
    reply.hijack();
    reply.raw.writeHead(302, ['location', resolved.link.target, ...REDIRECT_HEADERS]).end();
    return reply;
  }

  /** A click that cannot be kept is no reason to leave somebody standing: the answer is the same. */
  async function record(
    token: string,
    resolved: ResolvedLink,
    now: number,
    request: FastifyRequest,
  ): Promise<void> {
    const { headers } = request.raw;
    const click = clickOn(token, resolved, now, {
      ip: clientAddress(request.ip),
      userAgent: headers['user-agent'],
      acceptLanguage: headers['accept-language'],
    });
    try {
      await clicks.record(click);
    } catch (error) {
      observer?.clickLost?.(error);
    }
  }

  async function sendStatic(path: string, reply: FastifyReply): Promise<FastifyReply> {
    const file = await readStaticFile(staticFolder, path);
    if (!file) return answer(reply, NOT_FOUND);
    observer?.answered?.(200);
    return reply
      .headers({ 'content-type': file.contentType, 'x-content-type-options': 'nosniff' })
      .send(file.body);
  }

  function answer(
    reply: FastifyReply,
    page: Page,
    token?: string,
    resolved?: ResolvedLink,
  ): FastifyReply {
    observer?.answered?.(page.status, token, resolved);
    return reply.code(page.status).headers(page.headers).send(page.body);
  }
}
