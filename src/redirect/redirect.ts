import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ClickSink } from '../click/click.ts';
import type { LinkResolver, ResolvedLink } from '../link/link-store.ts';
import type { BlockList } from '../store/store.ts';
import { clickOn, followLink } from './follow-link.ts';
import {
  BLOCKED,
  COMMON_HEADERS,
  HOME,
  NOT_ALLOWED,
  NOT_FOUND,
  OPTIONS,
  type Page,
  TOO_LONG,
  UNAVAILABLE,
} from './pages.ts';
import { parseRequestTarget, tokensIn } from './request-target.ts';
import { isStaticPath, readStaticFile } from './static-files.ts';
import { clientReader } from './trusted-proxies.ts';

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
  /** Longest path in bytes; default 8192. */
  readonly maxPathLength?: number;
  readonly observer?: RedirectObserver;
}

/** Receives what logs and metrics are made of. Must not throw. */
export interface RedirectObserver {
  /** A request was answered; `resolved` where it asked for a link of this host. */
  answered?(status: number, resolved?: ResolvedLink): void;
  /** A click was redirected but could be kept nowhere. */
  clickLost?(error: unknown): void;
  /** A request was answered with 503: the store is away, or what it holds cannot be used. */
  failed?(error: unknown): void;
}

/** Beside the Location; names and values in turn. */
const REDIRECT_HEADERS = [...Object.entries(COMMON_HEADERS).flat(), 'content-length', '0'];

/**
 * Answers every request of an HTTP server.
 * @throws TypeError for an entry of trustedProxies that is none
 */
export function createRedirect(options: RedirectOptions): RequestListener {
  const { resolver, blocks, clicks, staticFolder, observer } = options;
  const checkHost = options.checkHost ?? true;
  const maxPathLength = options.maxPathLength ?? 8192;
  const clientOf = clientReader(options.trustedProxies ?? []);

  return (request, response) => {
    try {
      answer(request, response)?.catch((error) => fail(response, error));
    } catch (error) {
      fail(response, error);
    }
  };

  /** At once where no file and no link is asked for. */
  function answer(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
    const { method, url = '' } = request;
    if (method === 'OPTIONS') return show(response, OPTIONS);
    if (method !== 'GET' && method !== 'HEAD') return show(response, NOT_ALLOWED);
    const { path, host } = parseRequestTarget(url);
    if (path === '/' || path === '') return show(response, HOME);
    if (path.length > maxPathLength) return show(response, TOO_LONG);
    if (isStaticPath(path)) return sendStatic(response, path);
    const tokens = tokensIn(path);
    if (tokens.length === 0) return show(response, NOT_FOUND);
    return follow(request, response, tokens, host);
  }

  /** @param askedHost that of the request target */
  async function follow(
    request: IncomingMessage,
    response: ServerResponse,
    tokens: readonly string[],
    askedHost: string | undefined,
  ): Promise<void> {
    const client = clientOf(request);
    const host = checkHost ? normalHost(askedHost ?? client.host) : undefined;
    const now = Date.now();
    const followed = await followLink({ resolver, blocks }, tokens, host, now);
    if (followed.kind === 'unknown') return show(response, NOT_FOUND);
    const { token, resolved } = followed;
    if (followed.kind === 'blocked') return show(response, BLOCKED, resolved);

    if (followed.kind === 'live') {
      if (request.method === 'HEAD') clicks.headSeen?.(token);
      else {
        try {
          await clicks.record(clickOn(followed, now, client.ip, request.headers));
        } catch (error) {
          // The reader is redirected all the same.
          observer?.clickLost?.(error);
        }
      }
    }
    observer?.answered?.(302, resolved);
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
    try {
      observer?.failed?.(error);
      show(response, UNAVAILABLE);
    } catch {
      // Half of an answer has been sent already, or even that page cannot be.
      response.destroy();
    }
  }

  function show(response: ServerResponse, page: Page, resolved?: ResolvedLink): undefined {
    response.writeHead(page.status, page.headers).end(page.body);
    observer?.answered?.(page.status, resolved);
  }
}

/** In lower case; an IPv6 address in its one canonical spelling, as tracking domains have it. */
function normalHost(host: string): string {
  const lower = host.toLowerCase();
  if (!lower.startsWith('[')) return lower;
  try {
    return new URL(`http://${lower}`).host;
  } catch {
    return lower;
  }
}
