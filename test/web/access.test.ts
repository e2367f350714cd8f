import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assertMayChange, formTokenField, guard, whyReadOnly } from '../../src/web/access.ts';
import { LoginToken } from '../../src/web/login-token.ts';
import { observeConnections } from '../../src/web/rights.ts';
import { Sessions, sessionCookie } from '../../src/web/sessions.ts';
import { openWeb } from '../helpers/web.ts';

const TOKEN = '0123456789abcdef';

/** A form, and a change that it asks for. */
async function openForm(hasToken: boolean) {
  const sessions = new Sessions();
  const app = fastify();
  onTestFinished(() => app.close());
  guard(app, { hosts: [], sessions, token: hasToken ? new LoginToken(TOKEN) : undefined });
  app.get(
    '/',
    async (request, reply) => whyReadOnly(request) ?? `${formTokenField(request, reply)}`,
  );
  app.post('/', async (request) => {
    assertMayChange(request);
    return 'changed';
  });
  await app.ready();
  return { app, sessions };
}

describe('a change', () => {
  const ORIGIN = { origin: 'http://localhost', host: 'localhost' };

  test('needs a login', async () => {
    const { app, sessions } = await openForm(true);
    const { formToken } = sessions.open(false);
    const payload = { form_token: formToken };
    const answer = await app.inject({ method: 'POST', url: '/', payload, headers: ORIGIN });
    expect([answer.statusCode, answer.json().message]).toEqual([
      403,
      'Log in to block, unblock or retarget links.',
    ]);
  });

  test('is not possible where there is no login', async () => {
    const { app } = await openForm(false);
    const why = expect.stringContaining('with token_file in Web_Listener');
    expect((await app.inject({ url: '/', headers: ORIGIN })).body).toEqual(why);
    const headers = { ...ORIGIN, authorization: `Bearer ${TOKEN}` };
    expect((await app.inject({ method: 'POST', url: '/', headers })).statusCode).toBe(401);
  });

  test.each<[string, object, Record<string, string>, number]>([
    ['a form of the session', {}, {}, 200],
    ['a form of another session', { form_token: 'x'.repeat(32) }, {}, 403],
    ['no token', { form_token: undefined }, {}, 403],
    ['a token that is none', { form_token: { length: 32 } }, {}, 403],
    ['a token that has no text', { form_token: { toString: 1 } }, {}, 403],
    ['another origin', {}, { origin: 'http://localhost:1' }, 403],
    ['another host name', {}, { host: 'evil.example', origin: 'http://evil.example' }, 421],
  ])('with %s', async (_name, payload, headers, status) => {
    const { app, sessions } = await openForm(true);
    const session = sessions.open(true);
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      payload: { form_token: session.formToken, ...payload },
      headers: { ...ORIGIN, cookie: sessionCookie(session, false), ...headers },
    });
    expect(answer.statusCode).toBe(status);
  });

  test('with the token itself needs no form', async () => {
    const { app } = await openForm(true);
    const headers = { host: 'localhost', authorization: `Bearer ${TOKEN}` };
    const answer = await app.inject({ method: 'POST', url: '/', headers });
    expect([answer.statusCode, answer.body]).toEqual([200, 'changed']);
    const form = await app.inject({ url: '/', headers });
    expect([form.body, form.headers['set-cookie']]).toEqual(['', undefined]);
  });

  test.each<[string, Record<string, string>, number]>([
    ['the page itself', ORIGIN, 200],
    ['another site', { origin: 'https://evil.example' }, 403],
    ['an app', { origin: 'capacitor://localhost' }, 403],
    ['a document without an origin', { origin: 'null' }, 403],
    ['a browser that hides the origin', { 'sec-fetch-site': 'cross-site' }, 403],
  ])('of %s, to which a proxy adds the token', async (_name, sent, status) => {
    const { app } = await openForm(true);
    const headers = { host: 'localhost', authorization: `Bearer ${TOKEN}`, ...sent };
    expect((await app.inject({ method: 'POST', url: '/', headers })).statusCode).toBe(status);
  });

  test('over a unix socket needs its form, but no login', async () => {
    const { app } = await openForm(false);
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-socket-'));
    const socketPath = join(folder, 'web.sock');
    const server = createServer((incoming, response) => app.routing(incoming, response));
    observeConnections(server);
    await once(server.listen(socketPath), 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true });
    });
    const send = async (method: string, headers: Record<string, string>, body = '') => {
      const sent = request({ socketPath, method, headers: { host: 'localhost', ...headers } });
      sent.end(body);
      const [answer] = await once(sent, 'response');
      return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
    };
    const form = await send('GET', {});
    const formToken = /value="([^"]+)"/.exec(form.text)?.[1] ?? '';
    const headers = { cookie: String(form.headers['set-cookie']), origin: 'http://localhost' };
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ form_token: formToken });
    expect((await send('POST', { ...headers, ...json }, body)).text).toBe('changed');
    expect((await send('POST', { ...headers, ...json }, '{}')).status).toBe(403);
    // The session of a socket is no login elsewhere.
    const elsewhere = await app.inject({
      method: 'POST',
      url: '/',
      payload: body,
      headers: { host: 'localhost', ...headers, ...json },
    });
    expect(elsewhere.statusCode).toBe(403);
  });
});

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += chunk.toString();
  return all;
}

test.each([
  ['localhost', 200],
  ['localhost:8896', 200],
  ['LOCALHOST.', 200],
  ['page.localhost', 200],
  ['127.0.0.1:8896', 200],
  ['127.1.2.3', 200],
  ['[::1]:8896', 200],
  ['clicks.example.com', 200],
  ['CLICKS.example.com:443', 200],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
  ['192.0.2.1', 421],
  ['"><script>', 421],
])('Host: %s answers %i', async (host, status) => {
  const { get } = await openWeb({ hosts: ['clicks.example.com'] });
  const { statusCode, body } = await get('/', { host });
  expect(statusCode).toBe(status);
  expect(body).not.toContain('"><script>');
});

test.each<[string, Record<string, string>, number]>([
  ['a program', {}, 200],
  [
    'an address that somebody typed',
    { 'sec-fetch-site': 'none', 'sec-fetch-dest': 'document' },
    200,
  ],
  ['this page', { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'empty' }, 200],
  ['the click map', { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'iframe' }, 200],
  ['a link elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }, 200],
  ['a script elsewhere', { origin: 'http://evil.example' }, 403],
  ['a sandbox', { origin: 'null' }, 403],
  ['an image elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' }, 403],
  ['a frame elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'iframe' }, 403],
  [
    'another service of this host',
    { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'image' },
    403,
  ],
])('%s reads', async (_name, headers, status) => {
  const { get } = await openWeb();
  for (const view of ['/', '/live', '/rows.csv?by=day', '/assets/style.css']) {
    expect([view, (await get(view, headers)).statusCode]).toEqual([view, status]);
  }
});
