import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRedirect, type RedirectOptions } from '../../src/redirect/redirect.ts';
import { RedirectServer, type ServerOptions } from '../../src/redirect/redirect-server.ts';
import { type RawAnswer, rawHttp } from '../helpers/raw-http.ts';
import { DOMAIN, FakeLinks, resolvedLink } from './fake-links.ts';

const TARGET = "https://example.org/a%2Fb/../c?q=1&r=%E4'*,;@!~|{}#frag";
const servers: RedirectServer[] = [];
let links: FakeLinks;
let port: number;
let answered: number[];
let lost: unknown[];

async function start(options: Partial<RedirectOptions> = {}, limits: ServerOptions = {}) {
  links = new FakeLinks();
  links.links.set('live', resolvedLink({ target: TARGET }));
  links.links.set('blocked', resolvedLink());
  links.blocked.add('blocked');
  links.links.set('unlisted', resolvedLink());
  links.links.set('expired', resolvedLink({}, { expires: 1 }));
  links.links.set('evil', resolvedLink({ target: 'https://x/\r\nSet-Cookie: a=b' }));
  links.links.set('script', resolvedLink({ target: 'javascript:alert(1)' }));
  answered = [];
  lost = [];
  const observer = {
    answered: (status: number) => void answered.push(status),
    clickLost: (error: unknown) => void lost.push(error),
  };
  const app = createRedirect({
    resolver: links,
    blocks: links,
    clicks: links,
    observer,
    ...options,
  });
  const server = new RedirectServer(app, { onRefused: observer.answered, ...limits });
  servers.push(server);
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  port = (listening.address() as AddressInfo).port;
}

const send = (request: string): Promise<RawAnswer> => rawHttp({ host: '127.0.0.1', port }, request);
const get = (path: string, headers = '', method = 'GET', version = '1.1') =>
  send(
    `${method} ${path} HTTP/${version}\r\nHost: ${DOMAIN}\r\n${headers}Connection: close\r\n\r\n`,
  );

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

// Where proxies are trusted, fastify calls the handler that is called at once otherwise.
describe.each([
  ['directly', {}],
  ['where proxies are trusted', { trustedProxies: ['192.0.2.1'] }],
])('answers %s', (_name, options) => {
  beforeEach(() => start(options));

  test('a live link: the exact target, nothing cached, one click', async () => {
    const answer = await get('/live', 'User-Agent: Mozilla/5.0\r\nAccept-Language: de\r\n');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(TARGET);
    expect([...answer.headers.keys()].sort()).toEqual([
      'cache-control',
      'connection',
      'content-length',
      'date',
      'location',
      'x-robots-tag',
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-robots-tag')).toBe('noindex');
    expect(links.clicks).toHaveLength(1);
    expect(links.clicks[0]).toMatchObject({
      token: 'live',
      ip: '127.0.0.1',
      userAgent: 'Mozilla/5.0',
      acceptLanguage: 'de',
    });
    expect(answered).toEqual([302]);
  });

  test.each([
    ['/f/x/live', 302, 'a sublink'],
    ['/x/y/live', 302, 'whatever else goes before the token'],
    ['//live', 302, 'two slashes'],
    ['/live?utm_source=gateway', 302, 'a query that somebody added'],
    ['/live#top', 302, 'a fragment that should not have been sent'],
    ['/l%69ve', 302, 'an encoded token'],
    ['/l%2569ve', 302, 'a doubly encoded token'],
    ['/live%E2%81%A9%E2%80%8F', 302, 'marks of direction behind the token'],
    ['/live%E2%81%A9x', 404, 'marks of direction within the token'],
    ['/f%2Fx%2Flive', 302, 'an encoded sublink'],
    [`http://${DOMAIN}/live`, 302, 'absolute-form'],
    ['HTTPS://CLICK.EXAMPLE.COM/live', 302, 'absolute-form in capitals'],
    ['http://other.example/live', 404, "absolute-form with another's host"],
    ['/l%252569ve', 404, 'a token encoded three times'],
    ['/live/', 404, 'nothing after the last slash'],
    ['/', 404, 'no token'],
    ['/unknown', 404, 'an unknown token'],
    ['/%', 404, 'a broken escape'],
    ['/live%00', 404, 'a NUL'],
    ['/live%0d%0aSet-Cookie:%20a=b', 404, 'an encoded line break'],
    ['/../../etc/passwd', 404, 'a way up'],
    ['/.well-known/../live', 302, 'components are never resolved, the last one counts'],
    ['/<script>alert(1)</script>', 404, 'a script'],
    ['/%3Cscript%3Ealert(1)%3C/script%3E', 404, 'an encoded script'],
    ["/live'%20OR%201=1--", 404, 'SQL'],
    ['/$%7Bjndi:ldap://x/live}', 404, 'a JNDI look-up'],
    ['/__proto__', 404, 'a name that objects have'],
    ['*', 404, 'an asterisk'],
    ['/blocked', 410, 'a blocked link'],
    ['/unlisted', 302, 'a block list that is away'],
    ['/away', 503, 'a store that is away'],
    ['/defect', 500, 'a defect'],
    ['/evil', 404, 'a target with a line break'],
    ['/script', 404, 'a target of another scheme'],
  ])('GET %s: %i (%s)', async (path, status) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(links.clicks).toHaveLength(status === 302 ? 1 : 0);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.has('server')).toBe(false);
    expect(answer.headers.has('x-powered-by')).toBe(false);
    if (status !== 302) {
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(answer.headers.has('location')).toBe(false);
      expect(answer.body).not.toContain(path.slice(1, 12) || '<script');
      expect(answer.body).not.toContain('<script');
    }
    expect(answer.headers.has('set-cookie')).toBe(false);
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '30' : undefined);
    expect(answered).toEqual([status]);
  });

  test('what is too long', async () => {
    expect((await get(`/${'a'.repeat(6001)}`)).status).toBe(404);
    expect((await get(`/${'a'.repeat(8192)}`)).status).toBe(414);
    expect((await get(`/${'a'.repeat(20_000)}`)).status).toBe(431);
    expect((await get('/live', `X-Padding: ${'a'.repeat(20_000)}\r\n`)).status).toBe(431);
    expect(answered).toEqual([404, 414, 431, 431]);
  });

  test.each([
    ['GET javascript:alert(1) HTTP/1.1'],
    ['GET /live HTTP/3.0'],
    ['GET\t/live HTTP/1.1'],
    ['GET /li ve HTTP/1.1'],
    ['GET /live\0 HTTP/1.1'],
    ['GEX /live HTTP/1.1'],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%j: 400 and the connection ends', async (line) => {
    const answer = await send(`${line}\r\nHost: ${DOMAIN}\r\n\r\n`);
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('live');
    expect(links.clicks).toEqual([]);
    expect(answered).toEqual([400]);
  });

  test('HEAD: the same answer, no click, but remembered', async () => {
    const answer = await get('/live', '', 'HEAD');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(TARGET);
    expect(links.clicks).toEqual([]);
    expect(links.heads).toEqual(['live']);
    const missing = await get('/unknown', '', 'HEAD');
    expect(missing.status).toBe(404);
    expect(missing.body).toBe('');
    expect(links.heads).toEqual(['live']);
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'])(
    '%s: 405 with Allow, whatever its body',
    async (method) => {
      for (const path of ['/live', '/unknown', '*']) {
        const answer = await get(path, '', method);
        expect(answer.status).toBe(405);
        expect(answer.headers.get('allow')).toBe('GET, HEAD');
      }
      const answer = await get(
        '/live',
        `Content-Type: application/json\r\nContent-Length: 9999999\r\n`,
        method,
      );
      expect(answer.status).toBe(405);
      expect(links.clicks).toEqual([]);
    },
  );

  test('CONNECT: 405 as well', async () => {
    const answer = await send(`CONNECT ${DOMAIN}:443 HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    expect(answered).toEqual([405]);
  });

  test('a link past its expiry redirects and records nothing', async () => {
    const answer = await get('/expired');
    expect(answer.status).toBe(302);
    expect(links.clicks).toEqual([]);
  });

  test('a click that can be kept nowhere redirects all the same', async () => {
    links.keep = () => Promise.reject(new Error('disk full'));
    const answer = await get('/live');
    expect(answer.status).toBe(302);
    expect(lost).toEqual([new Error('disk full')]);
  });

  test('several requests on one connection', async () => {
    const one = `GET /live HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`;
    const answer = await send(
      `${one}${one}GET /live HTTP/1.1\r\nHost: ${DOMAIN}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.status).toBe(302);
    await expect.poll(() => links.clicks.length).toBe(3);
  });
});

test('what is remembered of requests keeps none of their URLs and headers alive', async () => {
  await start();
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const long = 'x'.repeat(8000);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const requests = 300;
  for (let sent = 0; sent < requests; sent++) {
    const token = `token-number-${sent}`;
    links.links.set(token, resolvedLink());
    await get(`/${long.slice(0, 7000)}/${token}`, `User-Agent: ${sent}${long}\r\n`);
  }
  expect(links.clicks).toHaveLength(requests);
  collectGarbage();
  const kept = process.memoryUsage().heapUsed - before;
  expect(kept).toBeLessThan((requests * long.length) / 2);
});

describe('the Host', () => {
  beforeEach(() => start());

  test.each([
    ['Host: click.example.com:8080', 302],
    ['Host: CLICK.Example.COM:8080', 302],
    ['Host: click.example.com', 302],
    ['Host: click.example.com:9999', 302],
    ['Host: other.example.com', 404],
    ['Host: click.example.com.evil.example', 404],
    ['Host: ', 404],
    ['Host: click.example.com:8080\r\nHost: other.example.com', 400],
    ['X-Forwarded-Host: click.example.com', 400],
    ['Host: other.example.com\r\nX-Forwarded-Host: click.example.com', 404],
  ])('HTTP/1.1 with %j: %i', async (header, status) => {
    expect(
      (await send(`GET /live HTTP/1.1\r\n${header}\r\nConnection: close\r\n\r\n`)).status,
    ).toBe(status);
    expect(answered).toEqual([status]);
  });

  test('HTTP/1.0: with the right Host as any, without one 404', async () => {
    expect((await send(`GET /live HTTP/1.0\r\nHost: ${DOMAIN}\r\n\r\n`)).status).toBe(302);
    expect((await send('GET /live HTTP/1.0\r\n\r\n')).status).toBe(404);
  });

  test('unchecked, where a proxy rewrites it', async () => {
    await start({ checkHost: false });
    expect((await send('GET /live HTTP/1.0\r\n\r\n')).status).toBe(302);
    expect(
      (await send('GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).status,
    ).toBe(302);
  });
});

describe('behind proxies', () => {
  const forwarded = 'X-Forwarded-For: 203.0.113.7, 198.51.100.9\r\n';

  test.each([
    [[], forwarded, '127.0.0.1'],
    [['10.0.0.0/8'], forwarded, '127.0.0.1'],
    [['127.0.0.1'], forwarded, '198.51.100.9'],
    [['127.0.0.0/8', '198.51.100.9'], forwarded, '203.0.113.7'],
    [['127.0.0.1'], 'X-Forwarded-For: <script>\r\n', undefined],
    [['127.0.0.1'], 'X-Forwarded-For: ::ffff:192.0.2.1\r\n', '192.0.2.1'],
    [['127.0.0.1'], 'X-Forwarded-For: [2001:db8::1]:443\r\n', '2001:db8::1'],
    [['127.0.0.1'], 'X-Forwarded-For: 192.0.2.1:55555\r\n', '192.0.2.1'],
    [['127.0.0.1'], '', '127.0.0.1'],
  ])('trusted %j, %j: the client is %s', async (trustedProxies, headers, ip) => {
    await start({ trustedProxies });
    expect((await get('/live', headers)).status).toBe(302);
    expect(links.clicks[0]?.ip).toBe(ip);
  });

  test('the host a trusted proxy was asked for counts', async () => {
    await start({ trustedProxies: ['127.0.0.1'] });
    const ask = (host: string) =>
      send(
        `GET /live HTTP/1.1\r\nHost: backend\r\nX-Forwarded-Host: ${host}\r\nConnection: close\r\n\r\n`,
      );
    expect((await ask('click.example.com')).status).toBe(302);
    expect((await ask('other.example.com')).status).toBe(404);
  });

  test('an entry that is no network', () => {
    expect(() =>
      createRedirect({
        resolver: links,
        blocks: links,
        clicks: links,
        trustedProxies: ['10.0.0.0/33'],
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[TypeError: trusted_proxies: "10.0.0.0/33" is not an address, a network such as 10.0.0.0/8, or "unix"]`,
    );
  });
});
