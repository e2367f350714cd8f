import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type Logger, logLimited } from '../lib/logger.ts';
import {
  addressAfterLogin,
  assertOwnForm,
  formTokenField,
  isHttps,
  refuseGuess,
  whyReadOnly,
} from './access.ts';
import { type Html, html } from './html.ts';
import { page } from './layout.ts';
import type { LoginToken } from './login-token.ts';
import { clientOf } from './rights.ts';
import { type Sessions, sessionCookie } from './sessions.ts';

export interface LoginOptions {
  /** Absent where there is no login. */
  readonly token?: LoginToken | undefined;
  readonly sessions: Sessions;
  /** Drops those who look at clicks as they come: a session that ended may be theirs. */
  readonly endViews: () => void;
  readonly logger: Logger;
}

const HIDDEN = { hide: true };
const HEAD = { title: 'Login', path: '/login' };
const WRONG = html`<p role="alert">This is not the token.</p>`;

/** `/login` and `/logout`: a session for those who have the token. */
export const login: FastifyPluginAsyncTypebox<LoginOptions> = async (
  app,
  { token, sessions, endViews, logger },
) => {
  app.get('/login', { schema: HIDDEN, config: { isPublic: true } }, async (request, reply) => {
    const { rights, session } = request.access;
    const { next } = request.query as { readonly next?: unknown };
    if (session?.hasLogin && next !== undefined) return reply.redirect(addressAfterLogin(next));
    const state = session?.hasLogin
      ? html`<p>You are logged in.</p>
<form action="/logout" method="post">${formTokenField(request, reply)}<button type="submit">Log out</button></form>`
      : html`<p>${rights.look || token === undefined ? (whyReadOnly(request) ?? 'You may look and change without a login.') : 'Log in to look.'}</p>${token && loginForm(next)}`;
    reply.code(rights.look || token !== undefined ? 200 : 403).type('text/html; charset=utf-8');
    return page({
      ...HEAD,
      hasLogin: token !== undefined,
      content: html`<section>${state}</section>`,
    }).toString();
  });

  app.post(
    '/login',
    {
      schema: {
        ...HIDDEN,
        body: Type.Object({
          token: Type.String({ maxLength: 1000 }),
          next: Type.Optional(Type.String()),
        }),
      },
      config: { isPublic: true },
    },
    async (request, reply) => {
      const client = clientOf(request.raw);
      const checked = token?.check(request.body.token.trim(), client) ?? 'wrong';
      if (checked === 'right') {
        // The session before it ends: somebody else may know its cookie.
        if (request.access.session) sessions.end(request.access.session);
        reply.header('set-cookie', sessionCookie(sessions.open(true), isHttps(request)));
        return reply.redirect(addressAfterLogin(request.body.next), 303);
      }
      const peer = client ?? 'a unix socket';
      logLimited(logger, 'warn', 'engagement page: login with a wrong token', { peer });
      if (checked === 'too many') return refuseGuess(request, reply);
      reply.code(403).type('text/html; charset=utf-8');
      const content = html`<section>${WRONG}${token && loginForm(request.body.next)}</section>`;
      return page({ ...HEAD, hasLogin: token !== undefined, content }).toString();
    },
  );

  app.post('/logout', { schema: HIDDEN, config: { isPublic: true } }, async (request, reply) => {
    assertOwnForm(request);
    if (request.access.session) sessions.end(request.access.session);
    endViews();
    reply.header('set-cookie', sessionCookie(undefined, isHttps(request)));
    return reply.redirect('/login', 303);
  });
};

/** @param next the address that follows */
function loginForm(next: unknown): Html {
  return html`<form action="/login" method="post"><input type="hidden" name="next" value="${addressAfterLogin(next)}">
<label>Token <input type="password" name="token" required autocomplete="current-password"></label>
<button type="submit">Log in</button>
</form>`;
}
