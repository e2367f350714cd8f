import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback, parseAddress } from '../lib/address.ts';
import { hostName } from '../lib/host-name.ts';
import { Forbidden } from './errors.ts';
import { addressOf } from './filters.ts';
import { type Html, html } from './html.ts';
import type { LoginToken } from './login-token.ts';
import { refuse } from './respond.ts';
import { clientOf, type Rights, rightsOf } from './rights.ts';
import { type Session, type Sessions, sessionCookie } from './sessions.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    access: Access;
  }
  interface FastifyContextConfig {
    /** Whether a stranger may ask for it: the login, and the files of the page. */
    readonly isPublic?: boolean;
  }
}

export interface Access {
  readonly rights: Rights;
  readonly session?: Session | undefined;
  /** Whether the request has the token of the login itself: a program sends it, or a proxy adds it. */
  readonly hasBearer: boolean;
  /** Whether there is a login at all. */
  readonly canLogIn: boolean;
  /** Opens a session without a login, for a form. */
  openSession(): Session;
}

export interface AccessOptions {
  /** Names, beside loopback names and addresses, by which browsers reach the page. */
  readonly hosts: readonly string[];
  readonly sessions: Sessions;
  /** Absent where there is no login. */
  readonly token?: LoginToken | undefined;
}

/** Lets in those who may look, and nobody else. */
export function guard(app: FastifyInstance, { hosts, sessions, token }: AccessOptions): void {
  const names = new Set(hosts.map(hostName));
  const origins = new Set(hosts.map((host) => host.toLowerCase()));
  const methodsOf = observeMethods(app);
  app.decorateRequest('access');
  app.addHook('onRequest', async (request, reply) => {
    const { headers, method, raw } = request;
    if (!isOwnName(headers.host, raw, names)) {
      const expected = 'localhost, the address of the connection, or one of hosts in Web_Listener';
      return refuse(
        request,
        reply,
        421,
        `the Host is "${headers.host ?? ''}": expected ${expected}`,
      );
    }
    const allowed = request.is404 ? methodsOf(request) : undefined;
    if (allowed !== undefined) {
      reply.header('allow', allowed);
      return refuse(request, reply, 405, `${method} is not possible here: expected ${allowed}`);
    }
    const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    const checked = bearer && token?.check(bearer, clientOf(raw));
    if (checked === 'too many') return refuseGuess(request, reply);
    const session = sessions.find(headers.cookie);
    const hasBearer = checked === 'right';
    const rights = rightsOf(raw, hasBearer || session?.hasLogin === true);
    const openSession = () => sessions.open(false);
    request.access = { rights, session, hasBearer, canLogIn: token !== undefined, openSession };
    if (bearer !== undefined && !hasBearer) {
      reply.header('www-authenticate', 'Bearer');
      return refuse(request, reply, 401, 'the token in Authorization is not right');
    }
    const isReading = method === 'GET' || method === 'HEAD';
    const isProgram = hasBearer && isOfProgram(request);
    if (!isReading && !isProgram && !isOwnOrigin(request, origins)) {
      return refuse(request, reply, 403, 'a form of another site, or of none, sent this request');
    }
    if (isReading && isOfOtherSite(request, origins)) {
      return refuse(request, reply, 403, 'the page of another site sent this request');
    }
    if (rights.look || request.routeOptions.config.isPublic === true) return;
    if (token === undefined) {
      return refuse(
        request,
        reply,
        403,
        'without token_file in Web_Listener, this host alone looks',
      );
    }
    reply.header('www-authenticate', 'Bearer');
    return refuse(
      request,
      reply,
      401,
      'this page needs a login',
      html`<p>${loginLink(request)}</p>`,
    );
  });
}

/**
 * Remembers the methods of every address.
 * @returns what an address allows; undefined where there is nothing
 */
function observeMethods(app: FastifyInstance): (request: FastifyRequest) => string | undefined {
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    known.set(url, new Set([...(known.get(url) ?? []), ...[method].flat()]));
  });
  return ({ url }) => {
    const [path = ''] = url.split('?', 1);
    // Files are the only addresses with a name in them.
    const methods = known.get(path) ?? known.get(path.replace(/[^/]+$/, ':name'));
    return methods && [...methods].sort().join(', ');
  };
}

/** Answers too many wrong tokens. */
export function refuseGuess(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('retry-after', '60');
  return refuse(request, reply, 429, 'too many wrong tokens: try again in a minute');
}

/** Why this request cannot change anything; undefined where it can. */
export function whyReadOnly({ access }: FastifyRequest): string | undefined {
  if (access.rights.change) return undefined;
  return access.canLogIn
    ? 'Log in to block, unblock or retarget links.'
    : 'Links can be blocked, unblocked and retargeted with token_file in Web_Listener, or over a unix socket.';
}

/** The longest address to which a login leads. */
const MAX_NEXT = 4096;

/**
 * Leads to the login, and from there to what was asked for. Somebody with a session needs it too:
 * browsers send no strict cookie when they follow a link of another site.
 * @param next the address of a page; default: that of the request
 */
export function loginLink({ method, url }: FastifyRequest, next = url): Html {
  const isPage = next !== url || method === 'GET';
  const to = isPage && next.length <= MAX_NEXT ? next : undefined;
  return html`<a href="${addressOf('/login', { next: to })}">Log in</a>`;
}

/** The address after a login: one of this page, whatever was asked for. */
export function addressAfterLogin(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])[!-~]*$/.test(next) ? next : '/';
}

/**
 * Every change asks here first: whether the request may change anything, and was sent by a form of
 * its own session. @throws Forbidden
 */
export function assertMayChange(request: FastifyRequest): void {
  const reason = whyReadOnly(request);
  if (reason !== undefined) throw new Forbidden(reason);
  assertOwnForm(request);
}

/** @throws Forbidden for a form that is not of this session */
export function assertOwnForm({ access, body }: FastifyRequest): void {
  if (access.hasBearer) return;
  const { [FORM_TOKEN]: text } = Object(body) as Record<string, unknown>;
  const sent = Buffer.from(typeof text === 'string' ? text : '');
  const expected = access.session && Buffer.from(access.session.formToken);
  if (expected?.length === sent.length && timingSafeEqual(expected, sent)) return;
  throw new Forbidden('this form is not of your session any more: load its page again');
}

/** The field that binds a form to its session. */
const FORM_TOKEN = 'form_token';

/**
 * The input that binds a form to its session; a visitor of a unix socket gets a session by it.
 * Requests with the token itself need none.
 */
export function formTokenField(request: FastifyRequest, reply: FastifyReply): Html {
  if (request.access.hasBearer) return html``;
  const { formToken } = sessionFor(request, reply);
  return html`<input type="hidden" name="${FORM_TOKEN}" value="${formToken}">`;
}

/** The session of a browser, which gets one here if it has none. */
export function sessionFor(request: FastifyRequest, reply: FastifyReply): Session {
  const { session = request.access.openSession() } = request.access;
  if (session !== request.access.session) {
    request.access = { ...request.access, session };
    reply.header('set-cookie', sessionCookie(session, isHttps(request)));
  }
  return session;
}

/** Whether the browser sent a form by HTTPS: it says so itself, and not every proxy does. */
export function isHttps({ headers }: FastifyRequest): boolean {
  return headers.origin?.startsWith('https:') === true;
}

/**
 * Whether a request is for a name of this page. Another name may lead here by DNS, and let the page
 * of a stranger read this one.
 */
function isOwnName(
  host: string | undefined,
  { socket }: IncomingMessage,
  names: ReadonlySet<string>,
): boolean {
  if (host === undefined) return false;
  const name = hostName(host);
  if (name === 'localhost' || name.endsWith('.localhost') || names.has(name)) return true;
  const address = parseAddress(name);
  if (address === undefined) return false;
  const local = parseAddress(socket.localAddress ?? '');
  return isLoopback(address) || (local !== undefined && Buffer.compare(local, address) === 0);
}

/**
 * Whether no browser sent a request that changes something. A proxy may add the token for its
 * users, whose browsers send the forms of any site.
 */
function isOfProgram({ headers }: FastifyRequest): boolean {
  return headers.origin === undefined && headers['sec-fetch-site'] === undefined;
}

/**
 * Whether a form of this page sent a request: every browser says from which site a POST is. Pages of
 * apps have a host too, as capacitor://localhost.
 */
function isOwnOrigin({ headers }: FastifyRequest, origins: ReadonlySet<string>): boolean {
  const { origin, host } = headers;
  if (origin === undefined || !/^https?:/.test(origin) || !URL.canParse(origin)) return false;
  const from = new URL(origin).host;
  return from === host?.toLowerCase() || origins.has(from);
}

/**
 * Whether the page of another site makes a browser send a request that reads: it learns nothing, but
 * could take all places of Live. A link of another site may be followed.
 */
function isOfOtherSite(request: FastifyRequest, origins: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site, 'sec-fetch-dest': dest } = request.headers;
  if (origin !== undefined) return !isOwnOrigin(request, origins);
  return (site === 'cross-site' || site === 'same-site') && dest !== 'document';
}
