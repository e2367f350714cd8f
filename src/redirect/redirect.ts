import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ClickSink } from '../click/click.ts';
import { type Detail, type Logger, logFailure, showTarget, silent } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import { destinationOf } from '../link/destination.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import type { OptOuts } from '../store/store.ts';
import {
  asksForPrivacy,
  clickOn,
  followLink,
  hasOptedOut,
  type LinkSources,
  pathOf,
  tokensIn,
} from './follow-link.ts';
import type { PageName } from './page-texts.ts';
import { BAD_REQUEST, OPTIONS, type Page, type Pages, redirectTo } from './pages.ts';
import { isStaticPath, readStaticFile } from './static-files.ts';
import { clientReader } from './trusted-proxies.ts';

export interface RedirectOptions extends LinkSources {
  readonly optOuts: OptOuts;
  readonly clicks: ClickSink;
  /**
   * Addresses and networks (CIDR) whose X-Forwarded-For and X-Forwarded-Host count; `unix` for unix
   * sockets.
   */
  readonly trustedProxies: readonly string[];
  /** The pages for readers. Called for each, so that a reload applies to the next one. */
  readonly pages: () => Pages;
  /** Whether clicks of readers whose browser asks not to be tracked are attributed to nobody. */
  readonly respectGpc: boolean;
  /** Folder with robots.txt, favicon.ico, .well-known/… */
  readonly staticFolder?: string;
  readonly logger?: Logger;
  /** How much of a target a log line shows at level debug; default: nothing. */
  readonly detail?: () => Detail;
  readonly metrics?: Metrics;
}

/** The longest path in bytes. */
const MAX_PATH = 8192;

/**
 * Answers every request of an HTTP server.
 * @throws TypeError for an entry of trustedProxies that is not an address or network
 */
export function createRedirect(options: RedirectOptions): RequestListener {
  const { optOuts, clicks, staticFolder, trustedProxies, respectGpc } = options;
  const { logger = silent, detail = () => 'none', metrics = noMetrics } = options;
  const clientOf = clientReader(trustedProxies);

  return (request, response) => {
    answer(request, response).catch((error) => fail(request, response, error));
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!hasRightHosts(request)) return send(response, BAD_REQUEST);
    const { method, url = '' } = request;
    if (method === 'OPTIONS') return send(response, OPTIONS);
    if (method !== 'GET' && method !== 'HEAD') return show(request, response, 'notAllowed');
    const { path, host } = parseRequestTarget(url);
    if (path === '/' || path === '') return show(request, response, 'home');
    if (path.length > MAX_PATH) return show(request, response, 'tooLong');
    if (isStaticPath(path)) {
      const file = await readStaticFile(staticFolder, path);
      return file === undefined ? show(request, response, 'notFound') : send(response, file);
    }
    const tokens = tokensIn(path);
    if (tokens.length === 0) return show(request, response, 'notFound');
    return follow(request, response, tokens, host);
  }

  /** @param askedHost the host of the request target */
  async function follow(
    request: IncomingMessage,
    response: ServerResponse,
    tokens: readonly string[],
    askedHost: string | undefined,
  ): Promise<void> {
    const client = clientOf(request);
    const host = normalHost(askedHost ?? client.host);
    const now = Date.now();
    const followed = await followLink(options, tokens, host, now);
    if (followed.kind === 'unknown') return show(request, response, 'notFound');
    const { token, resolved, retarget } = followed;
    const isAnonymous =
      (respectGpc && asksForPrivacy(request.headers)) || (await hasOptedOut(optOuts, resolved));
    if (followed.kind === 'live') {
      if (request.method === 'HEAD') clicks.headSeen?.(token);
      else {
        try {
          await clicks.record(clickOn(followed, now, client.ip, request.headers, isAnonymous));
        } catch (error) {
          // The reader is redirected all the same.
          metrics.count('clicks_total', { outcome: 'lost', automatic: '' });
          const message = 'click lost: neither the store nor the journal could keep it';
          logFailure(logger, 'error', error, message, {}, 'click');
        }
      }
    }
    const page =
      followed.kind === 'blocked'
        ? pageFor(request, 'blocked')
        : redirectTo(retarget?.to ?? destinationOf(resolved, isAnonymous));
    send(response, page);
    logFollowed(page.status, resolved, isAnonymous);
  }

  function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    try {
      // The reason may name the message, so it is not part of the kind.
      logFailure(logger, 'error', error, 'link lookup failed; answered 503', {}, 'link');
      show(request, response, 'unavailable');
    } catch {
      // Half of an answer has been sent already, or even that page cannot be sent.
      response.destroy();
    }
  }

  function pageFor({ headers }: IncomingMessage, name: PageName): Page {
    return options.pages().find(name, headers['accept-language']);
  }

  function show(request: IncomingMessage, response: ServerResponse, name: PageName): void {
    send(response, pageFor(request, name));
  }

  function send(response: ServerResponse, { status, headers, body }: Page): void {
    response.writeHead(status, headers).end(body);
    metrics.count('redirects_total', { status: String(status) });
  }

  /** One line per request for a link of this host. */
  function logFollowed(
    status: number,
    { link, message }: ResolvedLink,
    isAnonymous: boolean,
  ): void {
    const { campaignId } = message;
    const messageId = isAnonymous ? undefined : message.messageId;
    const target = showTarget(logger, detail(), link.target);
    logger.info({ status, messageId, campaignId, part: link.part, ...target }, 'link followed');
  }
}

/**
 * RFC 9112 § 3.2: a request of HTTP/1.1 without Host is to be refused, and any with several, since
 * the proxy in front of us may have read the other one.
 */
function hasRightHosts({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0');
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

/**
 * Reads the target of a request line: its path, still percent-encoded, without query and fragment;
 * and the authority of an absolute-form target, which overrides the Host header (RFC 9112 § 3.2.2).
 */
function parseRequestTarget(url: string): { readonly path: string; readonly host?: string } {
  const authority = url.startsWith('/') ? null : ABSOLUTE_FORM.exec(url);
  if (authority === null) return { path: pathOf(url) };
  return { path: pathOf(url.slice(authority[0].length)), host: authority[1] ?? '' };
}

/**
 * The host in lower case; an IPv6 address in its one canonical spelling, as tracking domains have
 * it.
 */
function normalHost(host: string): string {
  const lower = host.toLowerCase();
  if (!lower.startsWith('[')) return lower;
  try {
    return new URL(`http://${lower}`).host;
  } catch {
    return lower;
  }
}
