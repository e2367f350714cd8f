import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import fastify from 'fastify';
import { inBackground } from '../lib/background.ts';
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

/** The redirect endpoint without a socket. */
export interface Redirect {
  /** Resolves when requests may come. */
  ready(): Promise<void>;
  /** Answers a request of an HTTP server. */
  readonly listener: RequestListener;
  close(): Promise<void>;
}

/** Who asks for what, after trusted proxies. */
interface Asked {
  /** The request target as it was sent. */
  readonly url: string;
  readonly host: string;
  readonly ip: string | undefined;
}

/** Beside the Location; names and values in turn. */
const REDIRECT_HEADERS = [...Object.entries(COMMON_HEADERS).flat(), 'content-length', '0'];

/**
 * The redirect endpoint. fastify sees to what is rare or wants care: other methods, bodies, trusted proxies. It would
 * have nothing to do for a GET or HEAD that came straight from a client, which therefore goes straight to the same
 * handler.
 * @throws TypeError for an entry of trustedProxies that is none
 */
export function createRedirect(options: RedirectOptions): Redirect {
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
  app.route({
    method: ['GET', 'HEAD'],
    url: '/',
    handler(request, reply) {
      const { originalUrl: url, host, ip } = request;
      return answer(request.raw, reply.hijack().raw, { url, host, ip });
    },
  });
  app.setNotFoundHandler((_request, reply) => show(reply.hijack().raw, NOT_ALLOWED));
  app.setErrorHandler((error, { method }, reply) => {
    const { raw } = reply.hijack();
    if (isAllowed(method)) fail(raw, error);
    else show(raw, NOT_ALLOWED);
  });
  // No body is ever read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  return {
    ready: async () => {
      await app.ready();
    },
    listener(request, response) {
      if (proxies.length > 0 || !isAllowed(request.method)) app.routing(request, response);
      else inBackground('answer a request', () => answer(request, response, directly(request)));
    },
    close: () => app.close(),
  };

  function answer(request: IncomingMessage, response: ServerResponse, asked: Asked): Promise<void> {
    return follow(request, response, asked).catch((error) => fail(response, error));
  }

  async function follow(
    { method, headers }: IncomingMessage,
    response: ServerResponse,
    { url, host: sentTo, ip }: Asked,
  ): Promise<void> {
    if (url.length > maxUrlLength) return show(response, TOO_LONG);
    const target = parseRequestTarget(url);
    if (isStaticPath(target.path)) return sendStatic(response, target.path);
    const token = tokenOf(target.path);
    if (token === undefined) return show(response, NOT_FOUND);

    const host = checkHost ? (target.host ?? sentTo).toLowerCase() : undefined;
    const now = Date.now();
    const followed = await followLink({ resolver, blocks }, token, host, now);
    if (followed.kind === 'unknown') return show(response, NOT_FOUND, token);
    const { resolved } = followed;
    if (followed.kind === 'blocked') return show(response, BLOCKED, token, resolved);

    if (followed.kind === 'live') {
      if (method === 'HEAD') clicks.headSeen?.(token);
      else {
        try {
          await clicks.record(clickOn(token, resolved, now, clientAddress(ip), headers));
        } catch (error) {
          // A click that cannot be kept is no reason to leave somebody standing: the answer is the same.
          observer?.clickLost?.(error);
        }
      }
    }
    observer?.answered?.(302, token, resolved);
    response.writeHead(302, ['location', resolved.link.target, ...REDIRECT_HEADERS]).end();
  }

  async function sendStatic(response: ServerResponse, path: string): Promise<void> {
    const file = await readStaticFile(staticFolder, path);
    if (!file) return show(response, NOT_FOUND);
    observer?.answered?.(200);
    response
      .writeHead(200, {
        'content-type': file.contentType,
        'content-length': Buffer.byteLength(file.body),
        'x-content-type-options': 'nosniff',
      })
      .end(file.body);
  }

  function fail(response: ServerResponse, error: unknown): void {
    observer?.failed?.(error);
    if (response.headersSent) response.destroy();
    else show(response, error instanceof StoreUnavailable ? UNAVAILABLE : FAILED);
  }

  function show(
    response: ServerResponse,
    page: Page,
    token?: string,
    resolved?: ResolvedLink,
  ): void {
    observer?.answered?.(page.status, token, resolved);
    response.writeHead(page.status, page.headers).end(page.body);
  }
}

function isAllowed(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

function directly({ url = '', headers, socket }: IncomingMessage): Asked {
  return { url, host: headers.host ?? '', ip: socket.remoteAddress };
}
