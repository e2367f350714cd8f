import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Metrics, noMetrics } from '../../src/lib/metrics.ts';
import { createRedirect, type RedirectOptions } from '../../src/redirect/redirect.ts';
import { RedirectServer, type ServerOptions } from '../../src/redirect/redirect-server.ts';
import { httpDefaults } from '../helpers/option-defaults.ts';
import { type RawAnswer, rawHttp } from '../helpers/raw-http.ts';
import { type Line, recordedLog } from '../helpers/recorded.ts';
import { APPENDED } from './appended.ts';
import { DOMAIN, FakeLinks, resolvedLink, tokenNamed } from './fake-links.ts';

const TARGET = "https://example.org/a%2Fb/../c?q=1&r=%E4'*,;@!~|{}#frag";
const APPEND = 'q=2&utm_content={link_name}&utm_campaign={campaign_id}&id={message_id}';
const LIVE = tokenNamed('live');
const servers: RedirectServer[] = [];
let links: FakeLinks;
let port: number;
let answered: number[];
let lost: number;
let logged: Line[];

async function start(options: Partial<RedirectOptions> = {}, limits: Partial<ServerOptions> = {}) {
  links = new FakeLinks();
  const named = {
    live: resolvedLink({ target: TARGET }),
    blocked: resolvedLink(),
    unlisted: resolvedLink(),
    appended: resolvedLink({ target: TARGET, name: 'A&B' }, { appendQuery: APPEND }),
    aswritten: resolvedLink({ target: TARGET, asWritten: true }, { appendQuery: APPEND }),
    damaged: resolvedLink({ target: TARGET }, { appendQuery: 'x=1\r\nSet-Cookie: a=b' }),
    expired: resolvedLink({}, { expires: 1 }),
    evil: resolvedLink({ target: 'https://x/\r\nSet-Cookie: a=b' }),
    script: resolvedLink({ target: 'javascript:alert(1)' }),
    endless: resolvedLink({}, { expires: Number.NaN }),
  };
  for (const [name, link] of Object.entries(named)) links.links.set(tokenNamed(name), link);
  links.blocked.add(tokenNamed('blocked'));
  answered = [];
  lost = 0;
  const { logger, lines } = recordedLog('debug');
  logged = lines;
  const metrics: Metrics = {
    ...noMetrics,
    count(name, labels) {
      if (name === 'redirects_total') answered.push(Number(Object.values(labels)[0]));
      else lost++;
    },
  };
  const told = { logger, metrics };
  const app = createRedirect({
    resolver: links,
    blocks: links,
    optOuts: links,
    clicks: links,
    detail: () => 'domain',
    ...httpDefaults,
    ...told,
    ...options,
  });
  const server = new RedirectServer(app, { ...httpDefaults, ...told, ...limits });
  servers.push(server);
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  port = (listening.address() as AddressInfo).port;
}

const send = (request: string): Promise<RawAnswer> =>
  rawHttp({ host: '127.0.0.1', port }, Buffer.from(request, 'latin1'));
const get = (path: string, headers = '', method = 'GET', version = '1.1') =>
  send(
    `${method} ${path} HTTP/${version}\r\nHost: ${DOMAIN}\r\n${headers}Connection: close\r\n\r\n`,
  );

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

// A request goes the same way whether proxies are trusted or not.
describe.each([
  ['directly', {}],
  ['where proxies are trusted', { trustedProxies: ['192.0.2.1'] }],
])('answers %s', (_name, options) => {
  beforeEach(() => start(options));

  test('a live link: the exact target, nothing cached, one click', async () => {
    const answer = await get(`/${LIVE}`, 'User-Agent: Mozilla/5.0\r\nAccept-Language: de\r\n');
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
      token: LIVE,
      ip: '127.0.0.1',
      userAgent: 'Mozilla/5.0',
      acceptLanguage: 'de',
    });
    expect(answered).toEqual([302]);
  });

  // The names and values that Chromium, WebKit and Gecko send, and what other programs send there.
  test.each([
    ['Sec-Purpose: prefetch', true],
    ['Sec-Purpose: prefetch;prerender', true],
    ['Sec-Purpose: prefetch;anonymous-client-ip', true],
    ['Purpose: prefetch', true],
    ['X-Purpose: preview', true],
    ['X-moz: prefetch', true],
    ['Purpose: user-click', false],
    ['X-Requested-With: prefetch', false],
    ['Sec-Fetch-User: ?1', false],
  ])('%s: a page loaded ahead, %j', async (header, isPrefetch) => {
    expect((await get(`/${LIVE}`, `${header}\r\n`)).status).toBe(302);
    expect(links.clicks).toMatchObject([{ isPrefetch }]);
  });

  // In capitals: tokens of that name.
  test.each([
    ['/f/x/LIVE', 302, 'a sublink'],
    ['/x/y/LIVE', 302, 'whatever else goes before the token'],
    ['/1-sublink-of-a-token-s-look/2-another-one-of-these/LIVE', 302, 'a sublink like tokens'],
    ['//LIVE', 302, 'two slashes'],
    ['/LIVE?utm_source=gateway', 302, 'a query that somebody added'],
    ['/%31live0000000000000000%30%30%30', 302, 'an encoded token'],
    ['/%2531live000000000000000000%2530', 302, 'a doubly encoded token'],
    ['/f%2Fx%2fLIVE', 302, 'an encoded sublink'],
    ['/f%252fx%252fLIVE%252f', 302, 'an encoded sublink, and more'],
    [`http://${DOMAIN}/LIVE`, 302, 'absolute-form'],
    ['HTTPS://CLICK.EXAMPLE.COM/LIVE', 302, 'absolute-form in capitals'],
    [`http://${DOMAIN}/LIVE)?a`, 302, 'absolute-form with something appended'],
    [`http://${DOMAIN}/LIVE\xbb`, 302, 'absolute-form with raw bytes appended'],
    ['http://other.example/LIVE', 404, "absolute-form with another's host"],
    [`http://user@${DOMAIN}/LIVE`, 404, 'absolute-form with a user'],
    ['/%252531live0000000000000000000', 404, 'a token encoded three times'],
    ['/', 200, 'the page of the host'],
    ['/?utm_source=x', 200, 'the page of the host, with a query'],
    [`http://${DOMAIN}`, 200, 'the page of the host, in absolute-form'],
    ['//', 404, 'no token'],
    ['/f/x/', 404, 'a sublink alone'],
    ['/UNKNOWN', 404, 'an unknown token'],
    ['/UNKNOWN?LIVE', 404, 'a token in a query'],
    ['/UNKNOWN?/LIVE', 404, 'a token in a query behind a slash'],
    ['/UNKNOWN%3F/LIVE', 404, 'a token in an encoded query'],
    ['/LIVE/UNKNOWN', 302, 'the first token counts'],
    ['/LIVE/BLOCKED', 302, 'the first token counts, whatever comes after it'],
    ['/BLOCKED/LIVE', 410, 'also where it is blocked'],
    ['/LIVELIVE', 404, 'a doubled token'],
    ['/LIVE-LIVE', 404, 'a token doubled with a hyphen'],
    ['/LIVEx', 404, 'a token and a letter'],
    ['/LIVE0', 404, 'a token and a digit'],
    ['/LIVE-x', 404, 'a token, a hyphen and a letter'],
    ['/xLIVE', 404, 'a letter and a token'],
    ['/-LIVE', 404, 'a hyphen and a token'],
    ['/(LIVE)', 404, 'a bracket and a token'],
    ['/1live000000000000000000', 404, 'a token cut by one character'],
    ['/1live', 404, 'a token cut to a stump'],
    ['/1LIVE000000000000000000', 404, 'a token in capitals'],
    ['/%', 404, 'a broken escape'],
    ['/../../etc/passwd', 404, 'a way up'],
    ['/.well-known/../LIVE', 302, 'components are never resolved'],
    ['/<script>alert(1)</script>', 404, 'a script'],
    ['/%3Cscript%3Ealert(1)%3C/script%3E', 404, 'an encoded script'],
    ["/UNKNOWN'%20OR%201=1--", 404, 'SQL'],
    ['/$%7Bjndi:ldap://x/UNKNOWN}', 404, 'a JNDI look-up'],
    ['/__proto__', 404, 'a name that objects have'],
    ['*', 404, 'an asterisk'],
    ['/BLOCKED', 410, 'a blocked link'],
    ['/BLOCKED)', 410, 'a blocked link with something appended'],
    ['/BLOCKED_', 410, 'a blocked link with an underscore appended'],
    ['/UNLISTED', 302, 'a block list that is away'],
    ['/AWAY', 503, 'a store that is away'],
    ['/AWAY/', 503, 'a store that is away, and something appended'],
    ['/DEFECT', 503, 'a record that cannot be used, or a defect'],
    ['/EVIL', 404, 'a target with a line break'],
    ['/SCRIPT', 404, 'a target of another scheme'],
  ])('GET %s: %i (%s)', async (written, status) => {
    const path = written.replace(/[A-Z]{4,}/g, (name) =>
      /CLICK|EXAMPLE|HTTPS/.test(name) || written.startsWith('/1LIVE')
        ? name
        : name.replace(/LIVE|[A-Z]+/g, (one) => tokenNamed(one.toLowerCase())),
    );
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-robots-tag')).toBe('noindex');
    expect(answer.headers.has('server')).toBe(false);
    expect(answer.headers.has('x-powered-by')).toBe(false);
    if (status === 302) {
      const unlisted = written === '/UNLISTED';
      expect(answer.headers.get('location')).toBe(unlisted ? 'https://example.org/' : TARGET);
      expect(links.clicks.map(({ token }) => token)).toEqual([
        unlisted ? tokenNamed('unlisted') : LIVE,
      ]);
    } else {
      expect(links.clicks).toEqual([]);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(answer.headers.has('location')).toBe(false);
      expect(answer.body).not.toContain(path.length > 4 ? path.slice(1, 12) : '<script');
      expect(answer.body).not.toContain('<script');
    }
    expect(answer.headers.has('set-cookie')).toBe(false);
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '30' : undefined);
    expect(answered).toEqual([status]);
    const errors = logged.filter(({ level }) => level === 'error');
    expect(errors.length > 0).toBe(status === 503);
  });

  test.each(APPENDED)('%s behind a token is cut', async (_name, appended) => {
    for (const path of [`/${LIVE}${appended}`, `/f/x/${LIVE}${appended}`, `//${LIVE}${appended}`]) {
      const answer = await get(path);
      expect([answer.status, answer.headers.get('location')], path).toEqual([302, TARGET]);
      expect(answer.headers.has('set-cookie')).toBe(false);
    }
    expect(links.clicks.map(({ token }) => token)).toEqual([LIVE, LIVE, LIVE]);
    const foreign = await get(`/${LIVE.slice(0, -1)}x${appended}`);
    expect(foreign.status).toBe(404);
    const blocked = await get(`/${tokenNamed('blocked')}${appended}`);
    expect(blocked.status).toBe(410);
    const head = await get(`/${LIVE}${appended}`, '', 'HEAD');
    expect([head.status, head.headers.get('location')]).toEqual([302, TARGET]);
    expect(links.heads).toEqual([LIVE]);
    expect(links.clicks).toHaveLength(3);
  });

  // Tokens that ended in - or _ were issued once; Thunderbird and Android take a final - for no part of a link.
  test.each([
    ['-', ''],
    ['-', '-'],
    ['-', '_'],
    ['-', ')'],
    ['-', '-)'],
    ['_', ''],
    ['_', '_'],
    ['_', '.'],
    ['--', ''],
    ['_-', ''],
    ['-_', '_'],
  ])('a token that ends in %j, with %j behind it', async (end, appended) => {
    const token = `${LIVE.slice(0, -end.length)}${end}`;
    links.links.set(token, resolvedLink({ target: TARGET }));
    expect((await get(`/${token}${appended}`)).status).toBe(302);
    expect(links.clicks[0]?.token).toBe(token);
    if (end.endsWith('-') && !appended.startsWith('_')) {
      const cut = token.replace(/-+$/, '');
      expect((await get(`/${cut}${appended.replace(/^-/, '')}`)).status).toBe(302);
      expect(links.clicks[1]?.token).toBe(token);
    }
  });

  test('what is too long', async () => {
    expect((await get(`/1${'a'.repeat(6000)}`)).status).toBe(404);
    expect((await get(`/${'a'.repeat(8192)}`)).status).toBe(414);
    expect((await get(`/${'a'.repeat(20_000)}`)).status).toBe(431);
    expect((await get(`/${LIVE}`, `X-Padding: ${'a'.repeat(20_000)}\r\n`)).status).toBe(431);
    expect(answered).toEqual([404, 414, 431, 431]);
    expect((await get(`/${LIVE}?${'a'.repeat(12_000)}`)).status).toBe(302);
  });

  test.each([
    ['GET javascript:alert(1) HTTP/1.1'],
    [`GET /${LIVE} HTTP/3.0`],
    [`GET\t/${LIVE} HTTP/1.1`],
    [`GET /${LIVE} more HTTP/1.1`],
    [`GET /${LIVE}\0 HTTP/1.1`],
    [`GET /${LIVE}\x7f HTTP/1.1`],
    [`GET /${LIVE}\x01\xbb HTTP/1.1`],
    [`GET /${LIVE}\x7f\xbb HTTP/1.1`],
    [`POST /${LIVE}\xbb HTTP/1.1`],
    [`GEX /${LIVE} HTTP/1.1`],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%j: 400 and the connection ends', async (line) => {
    const answer = await send(`${line}\r\nHost: ${DOMAIN}\r\n\r\n`);
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('live');
    expect(links.clicks).toEqual([]);
    expect(answered).toEqual([400]);
  });

  test('HEAD: the same answer, no click, but remembered', async () => {
    const answer = await get(`/${LIVE}`, '', 'HEAD');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(TARGET);
    expect(links.clicks).toEqual([]);
    expect(links.heads).toEqual([LIVE]);
    for (const [path, status] of [
      [`/${tokenNamed('unknown')}`, 404],
      [`/${tokenNamed('blocked')}`, 410],
      ['/', 200],
    ] as const) {
      const other = await get(path, '', 'HEAD');
      expect(other.status).toBe(status);
      expect(other.body).toBe('');
    }
    expect(links.heads).toEqual([LIVE]);
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'PURGE'])(
    '%s: 405 with Allow, whatever its body',
    async (method) => {
      const asIs = [`/${LIVE}`, '/', `/${tokenNamed('unknown')}`, `/${tokenNamed('away')}`, '*'];
      for (const path of asIs) {
        const answer = await get(path, '', method);
        expect(answer.status).toBe(405);
        expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
      }
      for (const body of ['Content-Length: 9999999', 'Transfer-Encoding: chunked']) {
        const answer = await get(
          `/${LIVE}`,
          `Content-Type: application/json\r\n${body}\r\n`,
          method,
        );
        expect(answer.status).toBe(405);
      }
      expect(links.clicks).toEqual([]);
      expect(links.asked).toEqual([]);
    },
  );

  test('CONNECT: 405 as well', async () => {
    const answer = await send(`CONNECT ${DOMAIN}:443 HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(answered).toEqual([405]);
  });

  test.each(['*', '/', `/${LIVE}`, '/nothing', `http://${DOMAIN}/`])(
    'OPTIONS %s, as load balancers ask: 204 with Allow',
    async (path) => {
      for (const request of [
        `OPTIONS ${path} HTTP/1.0\r\n\r\n`,
        `OPTIONS ${path} HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n`,
      ]) {
        const answer = await send(request);
        expect(answer.status).toBe(204);
        expect(answer.body).toBe('');
        expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
        expect(answer.headers.has('content-length')).toBe(false);
      }
      expect(links.asked).toEqual([]);
      expect(answered).toEqual([204, 204]);
    },
  );

  test.each(['Expect: 100-continue', 'Expect: nonsense', 'Upgrade: h2c\r\nConnection: Upgrade'])(
    '%j changes nothing',
    async (header) => {
      const answer = await get(`/${LIVE}`, `${header}\r\n`);
      expect(answer.text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 302']);
    },
  );

  test.each(['expired', 'endless'])(
    'a link that is %s redirects and records nothing',
    async (name) => {
      expect((await get(`/${tokenNamed(name)}`)).status).toBe(302);
      expect((await get(`/${tokenNamed(name)}`, '', 'HEAD')).status).toBe(302);
      expect(links.clicks).toEqual([]);
      expect(links.heads).toEqual([]);
    },
  );

  test('a click that can be kept nowhere redirects all the same', async () => {
    links.keep = () => Promise.reject(new Error('disk full'));
    const answer = await get(`/${LIVE}`);
    expect(answer.status).toBe(302);
    expect(lost).toBe(1);
  });

  test('several requests on one connection', async () => {
    const one = `GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`;
    const answer = await send(
      `${one}${one}GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.status).toBe(302);
    await expect.poll(() => links.clicks.length).toBe(3);
  });

  const closing = 'Connection: close\r\n';
  test.each([
    [
      'a target with raw bytes',
      '',
      `GET /${LIVE}\xbb HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`,
      [302, 400],
    ],
    ['a body that was not announced', '', 'a=b', [302, 400]],
    ['a body behind the last request', closing, 'a=b', [302]],
    ['headers that are too long', '', `GET / HTTP/1.1\r\nA: ${'a'.repeat(17_000)}\r\n`, [302, 431]],
    ['CONNECT', '', `CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n`, [302, 405]],
  ])(
    '%s behind a request: the request is answered first',
    async (_name, header, rest, statuses) => {
      let release = () => {};
      let recorded = false;
      links.keep = () =>
        new Promise((resolve) => {
          recorded = true;
          release = resolve;
        });
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      const closed = once(socket, 'close');
      const one = `GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\n${header}\r\n`;
      socket.write(Buffer.from(one + rest, 'latin1'));
      await expect.poll(() => recorded).toBe(true);
      // What comes after it, in many pieces, changes nothing.
      for (let times = 0; times < 20; times++) {
        socket.write('more\r\n\r\n');
        await setImmediate();
      }
      expect(text).toBe('');
      release();
      await closed;
      expect([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))).toEqual(
        statuses,
      );
      expect(text).toContain(`location: ${TARGET}\r\n`);
      expect(answered).toEqual(statuses);
    },
  );
});

test('append_query: parameters before the fragment, and the click has the target as written', async () => {
  await start();
  const locations = async (...names: string[]) => {
    const answers = await Promise.all(names.map((name) => get(`/${tokenNamed(name)}`)));
    return answers.map(({ headers }) => headers.get('location'));
  };
  const appended = TARGET.replace('#', '&utm_content=A%26B&id=AAAAAAAAAAAAAAAA#');
  expect(await locations('appended', 'aswritten', 'damaged')).toEqual([appended, TARGET, TARGET]);
  expect(links.clicks.map(({ resolved }) => resolved.link.target)).toEqual([
    TARGET,
    TARGET,
    TARGET,
  ]);
  const head = await get(`/${tokenNamed('appended')}`, '', 'HEAD');
  expect(head.headers.get('location')).toBe(appended);

  await start({ respectGpc: true });
  const anonymous = await get(`/${tokenNamed('appended')}`, 'Sec-GPC: 1\r\n');
  expect(anonymous.headers.get('location')).toBe(appended.replace('&id=AAAAAAAAAAAAAAAA', ''));
});

describe('a retargeted link', () => {
  const TO = "https://new.example/a%2Fb/../c?q=1&r=%E4'*,;@!~|{}#frag";
  const retarget = (name: string, to: string, kind: 'token' | 'message' | 'url' = 'token') =>
    links.retargets.set(tokenNamed(name), {
      kind,
      value: tokenNamed(name),
      to,
      by: 'alice@mx1',
      since: '2026-11-29T12:00:00.000Z',
    });
  const locationOf = async (name: string, headers = '', method = 'GET') => {
    const { status, headers: answered } = await get(`/${tokenNamed(name)}`, headers, method);
    expect(status).toBe(302);
    return answered.get('location');
  };

  test('leads to the new URL as it is, and the click has both', async () => {
    await start();
    for (const name of ['live', 'appended', 'expired']) retarget(name, TO);
    expect(await locationOf('live')).toBe(TO);
    expect(await locationOf('live', '', 'HEAD')).toBe(TO);
    expect(await locationOf('appended')).toBe(TO);
    expect(await locationOf('expired')).toBe(TO);
    expect(links.clicks.map((click) => [click.resolved.link.target, click.redirectedTo])).toEqual([
      [TARGET, TO],
      [TARGET, TO],
    ]);
    expect(await locationOf('aswritten')).toBe(TARGET);
    expect(links.clicks.at(-1)?.redirectedTo).toBeUndefined();
  });

  test.each([
    `http://${DOMAIN}/${LIVE}`,
    `http://CLICK.example.com./${LIVE}`,
    'https://click.example.com:4443/',
    'https://track.example.net/x',
    'https://user@track.example.net:8443',
  ])('leads to its own target if the new URL is %s: readers would never arrive', async (to) => {
    await start({ trackingHosts: () => new Set(['track.example.net']) });
    retarget('live', to);
    expect(await locationOf('live')).toBe(TARGET);
    expect(links.clicks[0]?.redirectedTo).toBeUndefined();
  });

  test.each([
    ['token', undefined],
    ['message', undefined],
    ['url', TO],
  ] as const)(
    'an anonymous click has the new URL where that tells no message: %s',
    async (kind, redirectedTo) => {
      await start({ respectGpc: true });
      retarget('live', TO, kind);
      expect(await locationOf('live', 'Sec-GPC: 1\r\n')).toBe(TO);
      expect(links.clicks.map((click) => click.redirectedTo)).toEqual([redirectedTo]);
    },
  );

  test('answers 410 while it is blocked', async () => {
    await start();
    retarget('blocked', TO);
    expect((await get(`/${tokenNamed('blocked')}`)).status).toBe(410);
  });
});

test('what an unknown token costs is bounded, whatever it looks like', async () => {
  await start();
  const most = async (path: string) => {
    links.asked.length = 0;
    expect((await get(path)).status).toBe(404);
    return links.asked.length;
  };
  expect(await most(`/${tokenNamed('unknown')}`)).toBe(3);
  expect(await most(`/${tokenNamed('unknown')}${'-_'.repeat(2000)}`)).toBe(6);
  expect(await most(`/${`1${'_'.repeat(25)}/`.repeat(300)}`)).toBe(24);
  expect(await most(`/${'x/'.repeat(4000)}`)).toBe(0);
  expect(await most(`/1${'-'.repeat(7000)}`)).toBe(0);
  expect(await most(`/${'%25'.repeat(2500)}`)).toBe(0);
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
    const token = `1-token-of-the-number-${sent}`;
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
  const ask = async (header: string) =>
    (await send(`GET /${LIVE} HTTP/1.1\r\n${header}\r\nConnection: close\r\n\r\n`)).status;

  test.each([
    ['Host: click.example.com:8080', 302],
    ['Host: CLICK.Example.COM:8080', 302],
    ['Host: click.example.com', 302],
    ['Host: click.example.com.', 302],
    ['Host: click.example.com.:443', 302],
    ['Host: click.example.com:9999', 302],
    ['Host: other.example.com', 404],
    ['Host: click.example.com.evil.example', 404],
    ['Host: click.example.com@evil.example', 404],
    ['Host: evil.example/click.example.com', 404],
    ['Host: [click.example.com]', 404],
    ['Host: [::1]', 404],
    ['Host: [', 404],
    ['Host: :8080', 404],
    ['Host: ', 404],
    ['Host: click.example.com:8080\r\nHost: other.example.com', 400],
    ['X-Forwarded-Host: click.example.com', 400],
    ['Host: other.example.com\r\nX-Forwarded-Host: click.example.com', 404],
  ])('HTTP/1.1 with %j: %i', async (header, status) => {
    expect(await ask(header)).toBe(status);
    expect(answered).toEqual([status]);
  });

  test.each([
    ['[2001:db8::1]', 302],
    ['[2001:DB8:0:0::1]:8080', 302],
    ['[2001:db8::2]', 404],
    ['2001:db8::1', 404],
    ['click.example.com', 404],
  ])('of a link for [2001:db8::1]:8080, %s: %i', async (host, status) => {
    links.links.set(LIVE, resolvedLink({}, { domain: '[2001:db8::1]:8080' }));
    expect(await ask(`Host: ${host}`)).toBe(status);
  });

  test('HTTP/1.0: with the right Host as any, without one 404', async () => {
    expect((await send(`GET /${LIVE} HTTP/1.0\r\nHost: ${DOMAIN}\r\n\r\n`)).status).toBe(302);
    expect((await send(`GET /${LIVE} HTTP/1.0\r\n\r\n`)).status).toBe(404);
  });

  test('unchecked, where a proxy rewrites it', async () => {
    await start({ checkHost: false });
    expect((await send(`GET /${LIVE} HTTP/1.0\r\n\r\n`)).status).toBe(302);
    expect(await ask('Host: localhost')).toBe(302);
  });
});

describe('behind proxies', () => {
  const forwarded = 'X-Forwarded-For: 203.0.113.7, 198.51.100.9\r\n';

  test.each([
    [[], forwarded, '127.0.0.1'],
    [['10.0.0.0/8'], forwarded, '127.0.0.1'],
    [['127.0.0.1'], forwarded, '198.51.100.9'],
    [['::ffff:127.0.0.1'], forwarded, '198.51.100.9'],
    [['127.0.0.0/8', '198.51.100.9'], forwarded, '203.0.113.7'],
    [['0.0.0.0/0'], forwarded, '203.0.113.7'],
    [['127.0.0.1'], `X-Forwarded-For: 192.0.2.66\r\n${forwarded}`, '198.51.100.9'],
    [['127.0.0.1'], 'X-Forwarded-For: <script>\r\n', undefined],
    [['127.0.0.1'], 'X-Forwarded-For: ::ffff:192.0.2.1\r\n', '192.0.2.1'],
    [['127.0.0.1'], 'X-Forwarded-For: [2001:db8::1]:443\r\n', '2001:db8::1'],
    [['127.0.0.1'], 'X-Forwarded-For: 192.0.2.1:55555\r\n', '192.0.2.1'],
    [['127.0.0.1'], `X-Forwarded-For: ${'127.0.0.1,'.repeat(1000)}192.0.2.1\r\n`, '192.0.2.1'],
    [['127.0.0.1'], '', '127.0.0.1'],
  ])('trusted %j, %j: the client is %s', async (trustedProxies, headers, ip) => {
    await start({ trustedProxies });
    for (const path of [`/${LIVE}`, `/${LIVE}\xbb`]) {
      expect((await get(path, headers)).status).toBe(302);
      expect(links.clicks.at(-1)?.ip).toBe(ip);
    }
  });

  test.each([
    ['click.example.com', 302],
    ['CLICK.example.com:443', 302],
    ['other.example.com, click.example.com', 302],
    ['click.example.com, other.example.com', 404],
    ['other.example.com', 404],
  ])('the host that a trusted proxy was asked for counts: %s', async (host, status) => {
    await start({ trustedProxies: ['127.0.0.1'] });
    const ask = () =>
      send(
        `GET /${LIVE} HTTP/1.1\r\nHost: backend\r\nX-Forwarded-Host: ${host}\r\nConnection: close\r\n\r\n`,
      );
    expect((await ask()).status).toBe(status);
    await start({ trustedProxies: ['192.0.2.1'] });
    expect((await ask()).status).toBe(404);
  });

  test('an entry that is no network', () => {
    expect(() =>
      createRedirect({
        resolver: links,
        blocks: links,
        optOuts: links,
        clicks: links,
        ...httpDefaults,
        trustedProxies: ['10.0.0.0/33'],
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[TypeError: trusted_proxies: "10.0.0.0/33" is not an address, a network such as 10.0.0.0/8, or "unix"]`,
    );
  });
});

test.each([
  [true, 'Sec-GPC: 1', true],
  [true, 'DNT: 1', true],
  [true, 'DNT: 0\r\nSec-GPC: 0', false],
  [true, 'X: 1', false],
  [false, 'Sec-GPC: 1', false],
])('respect_gpc = %j, %j: a click is anonymous: %j', async (respectGpc, header, isAnonymous) => {
  await start({ respectGpc });
  expect((await get(`/${LIVE}`, `${header}\r\n`)).headers.get('location')).toBe(TARGET);
  expect(links.clicks.map((click) => click.isAnonymous)).toEqual([isAnonymous]);
  const about = logged.filter(({ message }) => message === 'link followed');
  expect(about.map((line) => line['messageId'] === undefined)).toEqual([isAnonymous]);
});

test('a click on a link of a recipient who has opted out since then is anonymous', async () => {
  await start();
  links.optedOut.add('Anna@Example.org');
  const several = resolvedLink({}, { recipients: ['Anna@Example.org', 'Bob@Example.org'] });
  links.links.set(tokenNamed('several'), several);
  links.links.set(tokenNamed('other'), resolvedLink({}, { recipients: ['Bob@Example.org'] }));
  links.links.set(tokenNamed('offline'), resolvedLink({}, { recipients: ['unknown@x.example'] }));
  for (const name of ['live', 'several', 'other', 'offline']) await get(`/${tokenNamed(name)}`);
  expect(answered).toEqual([302, 302, 302, 302]);
  expect(links.clicks.map(({ isAnonymous }) => isAnonymous)).toEqual([true, false, false, true]);
});

test('each followed link is one line, and so is each failure', async () => {
  await start();
  links.keep = () => Promise.reject(new Error('disk full'));
  for (const name of ['live', 'blocked', 'unknown', 'away']) await get(`/${tokenNamed(name)}`);
  const { link, message } = resolvedLink({ target: TARGET });
  const known = { messageId: message.messageId, campaignId: message.campaignId, part: link.part };
  const line = { level: 'info', message: 'link followed', ...known, host: 'example.org' };
  expect(logged.filter(({ level }) => level !== 'debug')).toEqual([
    {
      level: 'error',
      message: 'click lost: neither the store nor the journal could keep it',
      reason: 'disk full',
    },
    { ...line, status: 302 },
    { ...line, status: 410 },
    {
      level: 'error',
      message: 'link lookup failed; answered 503',
      reason: expect.any(String),
    },
  ]);
});
