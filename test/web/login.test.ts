import { describe, expect, test } from 'vitest';
import { LoginToken } from '../../src/web/login-token.ts';
import { openWeb, type WebAnswer } from '../helpers/web.ts';

const TOKEN = '0123456789abcdef';
const FAR = '192.0.2.1';
const ORIGIN = { origin: 'http://localhost:8896' };

const withLogin = () => openWeb({ token: new LoginToken(TOKEN), hosts: ['clicks.example.com'] });
type Web = Awaited<ReturnType<typeof withLogin>>;

const logIn = (web: Web, token = TOKEN, headers: Record<string, string> = ORIGIN) =>
  web.send({ method: 'POST', url: '/login', form: { token }, headers, remoteAddress: FAR });
const cookieOf = ({ headers }: WebAnswer) => String(headers['set-cookie']).split(';')[0] ?? '';

describe('without a login', () => {
  test.each([
    ['this host', {}, '127.0.0.1', 200],
    ['this host by IPv6', {}, '::1', 200],
    ['another host', {}, FAR, 403],
    ['a proxy on this host', { 'x-forwarded-for': FAR }, '127.0.0.1', 403],
    ['a proxy of another kind', { forwarded: 'for=192.0.2.1' }, '127.0.0.1', 403],
    ['a proxy that tells the scheme only', { 'x-forwarded-proto': 'https' }, '127.0.0.1', 403],
  ])('%s', async (_name, headers, remoteAddress, status) => {
    const { send } = await openWeb();
    for (const url of ['/', '/rows.csv?by=day', '/openapi.json', '/nothing']) {
      const answer = await send({ url, headers, remoteAddress });
      expect([url, answer.statusCode]).toEqual([
        url,
        status === 200 && url === '/nothing' ? 404 : status,
      ]);
    }
    expect((await send({ url: '/login', headers, remoteAddress })).statusCode).toBe(status);
  });

  test.each([
    '/',
    '/campaign?campaign=x',
    '/rows?by=day',
    '/message',
    '/live',
    '/login',
    '/nothing',
  ])('the menu of %s has none', async (url) => {
    const menuOf = async (web: Web) => /<nav.*?<\/nav>/s.exec((await web.get(url)).body)?.[0];
    expect(await menuOf(await openWeb())).not.toContain('Login');
    expect(await menuOf(await withLogin())).toContain('Login');
  });

  test('nobody logs in', async () => {
    const { send } = await openWeb();
    const answer = await send({
      method: 'POST',
      url: '/login',
      form: { token: '' },
      headers: ORIGIN,
    });
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('with a login', () => {
  test('another host is led to it', async () => {
    const web = await withLogin();
    const page = await web.send({ url: '/', remoteAddress: FAR });
    expect([page.statusCode, page.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    expect(page.body).toContain('<a href="/login?next=%2F">');
    const form = await web.send({ url: '/login', remoteAddress: FAR });
    expect([form.statusCode, form.body]).toEqual([200, expect.stringContaining('type="password"')]);
    expect(form.body).toContain('Log in to look.');
    expect((await web.get('/login')).body).toContain('Log in to block');
    expect((await web.send({ url: '/assets/style.css', remoteAddress: FAR })).statusCode).toBe(200);
  });

  test('the token opens a session, which a form ends', async () => {
    const web = await withLogin();
    const opened = await logIn(web);
    expect([opened.statusCode, opened.headers['location']]).toEqual([303, '/']);
    const headers = { cookie: cookieOf(opened), ...ORIGIN };
    const look = () => web.send({ url: '/login', headers, remoteAddress: FAR });
    const { body } = await look();
    expect(body).toContain('You are logged in.');
    const token = /name="form_token" value="([^"]+)"/.exec(body)?.[1] ?? '';
    const leave = (form: Record<string, string>) =>
      web.send({ method: 'POST', url: '/logout', form, headers, remoteAddress: FAR });
    expect((await leave({ form_token: 'x' })).statusCode).toBe(403);
    expect((await leave({})).statusCode).toBe(403);
    expect((await look()).body).toContain('You are logged in.');
    const left = await leave({ form_token: token });
    expect([left.statusCode, left.headers['location']]).toEqual([303, '/login']);
    expect((await web.send({ url: '/', headers, remoteAddress: FAR })).statusCode).toBe(401);
  });

  test.each([
    ['/campaign?campaign=a%20b&since=2026-11-01', '/campaign?campaign=a%20b&since=2026-11-01'],
    ['//evil.example/', '/'],
    ['/\\evil.example/', '/'],
    ['/\t/evil.example/', '/'],
    ['https://evil.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['/x\r\nSet-Cookie: a=b', '/'],
  ])('a login for %j leads to %j', async (next, address) => {
    const web = await withLogin();
    const query = new URLSearchParams({ next });
    const form = await web.send({ url: `/login?${query}`, remoteAddress: FAR });
    const shown = /name="next" value="([^"]*)"/.exec(form.body)?.[1] ?? '';
    expect(shown.replaceAll('&amp;', '&')).toBe(address);
    const opened = await web.send({
      method: 'POST',
      url: '/login',
      form: { token: TOKEN, next },
      headers: ORIGIN,
      remoteAddress: FAR,
    });
    expect([opened.statusCode, opened.headers['location']]).toEqual([303, address]);
    // Somebody who has a session, whose cookie a link of another site did not bring.
    const again = await web.send({
      url: `/login?${query}`,
      headers: { cookie: cookieOf(opened) },
      remoteAddress: FAR,
    });
    expect([again.statusCode, again.headers['location']]).toEqual([302, address]);
  });

  test('what needs a login leads there and back, and a form does not', async () => {
    const web = await withLogin();
    const linkIn = ({ body }: WebAnswer) => /<a href="([^"]+)">Log in/.exec(body)?.[1];
    const url = '/rows?by=day&campaign=%3Ca%3E';
    const page = await web.send({ url, remoteAddress: FAR });
    expect(linkIn(page)).toBe(`/login?${new URLSearchParams({ next: url })}`);
    const long = await web.send({ url: `/?campaign=${'x'.repeat(5000)}`, remoteAddress: FAR });
    expect(linkIn(long)).toBe('/login');
    const form = { method: 'POST', url: '/message/change', headers: ORIGIN, form: {} } as const;
    expect(linkIn(await web.send({ ...form, remoteAddress: FAR }))).toBe('/login');
  });

  test('another token in the file ends every session', async () => {
    const web = await withLogin();
    const headers = { cookie: cookieOf(await logIn(web)) };
    expect((await web.send({ url: '/', headers, remoteAddress: FAR })).statusCode).toBe(200);
    web.endSessions();
    expect((await web.send({ url: '/', headers, remoteAddress: FAR })).statusCode).toBe(401);
  });

  test('a wrong token opens nothing, and too many are not looked at', async () => {
    const web = await withLogin();
    for (let index = 0; index < 10; index++) {
      const { statusCode, headers } = await logIn(web, 'wrong');
      expect([statusCode, headers['set-cookie']]).toEqual([403, undefined]);
    }
    const late = await logIn(web);
    expect([late.statusCode, late.headers['retry-after']]).toEqual([429, '60']);
    const bearer = { authorization: `Bearer ${TOKEN}` };
    expect((await web.send({ url: '/', headers: bearer, remoteAddress: FAR })).statusCode).toBe(
      429,
    );
    const elsewhere = await web.send({ url: '/', headers: bearer, remoteAddress: '192.0.2.2' });
    expect(elsewhere.statusCode).toBe(200);
  });

  test('wrong tokens of one client of a proxy do not keep out the others', async () => {
    const web = await withLogin();
    const through = (token: string, client: string) =>
      web.send({
        url: '/',
        headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': `10.0.0.1, ${client}` },
        remoteAddress: '127.0.0.1',
      });
    for (let index = 0; index < 10; index++) await through('wrong', FAR);
    expect((await through(TOKEN, FAR)).statusCode).toBe(429);
    expect((await through(TOKEN, '192.0.2.2')).statusCode).toBe(200);
  });

  test('wrong tokens end no session', async () => {
    const web = await withLogin();
    const headers = { cookie: cookieOf(await logIn(web)) };
    for (let index = 0; index < 11; index++) await logIn(web, 'wrong');
    expect((await web.send({ url: '/', headers, remoteAddress: FAR })).statusCode).toBe(200);
  });

  test.each([
    ['Bearer', TOKEN, 200],
    ['bearer', TOKEN, 200],
    ['Bearer', 'wrong', 401],
    ['Basic', TOKEN, 401],
  ])('Authorization: %s %s', async (scheme, token, status) => {
    const web = await withLogin();
    const headers = { authorization: `${scheme} ${token}`, accept: 'application/json' };
    const answer = await web.send({ url: '/', headers, remoteAddress: FAR });
    expect(answer.statusCode).toBe(status);
  });

  test.each([
    [undefined, 403],
    ['null', 403],
    ['http://evil.example', 403],
    ['http://localhost:3000', 403],
    ['http://localhost:8896.evil.example', 403],
    ['https://clicks.example.com', 303],
    ['http://localhost:8896', 303],
  ])('a login from Origin: %s answers %i', async (origin, status) => {
    const web = await withLogin();
    expect((await logIn(web, TOKEN, origin === undefined ? {} : { origin })).statusCode).toBe(
      status,
    );
  });

  test.each<Record<string, string>>([
    { 'x-forwarded-proto': 'https' },
    { 'x-forwarded-proto': 'https, http' },
    { forwarded: 'for=192.0.2.1;proto=https' },
    { 'x-real-ip': FAR },
  ])('behind HTTPS, with a proxy that sends %j, the cookie is for HTTPS', async (headers) => {
    const web = await withLogin();
    const opened = await logIn(web, TOKEN, { origin: 'https://clicks.example.com', ...headers });
    expect(opened.headers['set-cookie']).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  });
});
