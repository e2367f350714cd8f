import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRedirect } from '../../src/redirect/redirect.ts';
import { RedirectServer, type ServerOptions } from '../../src/redirect/redirect-server.ts';
import { httpDefaults } from '../helpers/option-defaults.ts';
import { LONGER_THAN_A_TEST } from '../helpers/poll.ts';
import { rawHttp } from '../helpers/raw-http.ts';
import { recordedLog, recordedMetrics } from '../helpers/recorded.ts';
import { DOMAIN, FakeLinks, resolvedLink, tokenNamed } from './fake-links.ts';

const LIVE = tokenNamed('live');
let folder: string;
let links: FakeLinks;
let server: RedirectServer;
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-redirect-'));
  links = new FakeLinks();
  links.links.set(LIVE, resolvedLink());
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close(0);
  await rm(folder, { recursive: true, force: true });
});

function make(limits: Partial<ServerOptions> = {}, trustedProxies: string[] = []): RedirectServer {
  const app = createRedirect({
    resolver: links,
    blocks: links,
    optOuts: links,
    clicks: links,
    ...httpDefaults,
    staticFolder: folder,
    trustedProxies,
  });
  server = new RedirectServer(app, { ...httpDefaults, ...limits });
  return server;
}

async function start(limits: Partial<ServerOptions> = {}): Promise<number> {
  const listening = await make(limits).listen({ host: '127.0.0.1', port: 0 });
  return (listening.address() as AddressInfo).port;
}

/** A client under our control: what it received, and whether it was cut off. */
async function open(port: number) {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received)));
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, closed, received: () => received };
}

const GET = `GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`;

describe('where it listens', () => {
  test('several addresses at once, a unix socket, and a handle that somebody else opened', async () => {
    const port = await start();
    const path = join(folder, 'redirect.sock');
    await server.listen({ path });
    const inherited = createServer();
    await new Promise<void>((resolve) => inherited.listen(0, '127.0.0.1', resolve));
    await server.listen(inherited);
    const inheritedPort = (inherited.address() as AddressInfo).port;
    for (const target of [{ port }, { path }, { port: inheritedPort }]) {
      expect((await rawHttp(target, GET)).status).toBe(302);
    }
    expect(links.clicks.map(({ ip }) => ip)).toEqual(['127.0.0.1', undefined, '127.0.0.1']);
    await server.close(0);
    inherited.close();
  });

  test.each([
    { trustedProxies: ['unix'], ip: '203.0.113.7' },
    { trustedProxies: ['127.0.0.1'], ip: undefined },
  ])('behind a proxy on a unix socket, trusted $trustedProxies: the client is $ip', async (one) => {
    const path = join(folder, 'behind.sock');
    await make({}, one.trustedProxies).listen({ path });
    const forwarded = GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n');
    expect((await rawHttp({ path }, forwarded)).status).toBe(302);
    expect(links.clicks.map(({ ip }) => ip)).toEqual([one.ip]);
  });

  test('an address that is taken is an error', async () => {
    const port = await start();
    await expect(server.listen({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('limits', () => {
  test.each([
    ['nothing', ''],
    ['half a request line', 'GET /li'],
    ['half the headers', `GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\nX-A: `],
  ])('a client that sends %s and then nothing is cut off', async (_name, sent) => {
    const client = await open(await start({ requestTimeoutMs: 100 }));
    client.socket.write(sent);
    const received = await client.closed;
    expect(received).toMatch(/^(HTTP\/1\.1 408 Request Timeout\r\n|$)/);
    expect(received).not.toContain('302');
  });

  test('a byte now and then does not keep a connection', async () => {
    const { metrics, counts } = recordedMetrics();
    const client = await open(await start({ requestTimeoutMs: 200, metrics }));
    client.socket.write(`GET /${LIVE} HTTP/1.1\r\nX-A: `);
    const dripping = setInterval(() => client.socket.write('a'), 20);
    expect(await client.closed).toContain(' 408 ');
    clearInterval(dripping);
    expect(counts).toEqual(['redirects_total 408']);
  });

  test('an idle connection is kept for a while, and then closed', async () => {
    const client = await open(await start({ keepAliveTimeoutMs: 100 }));
    client.socket.write(GET);
    await expect.poll(() => client.received()).toContain('302');
    client.socket.write(GET);
    await expect.poll(() => client.received().match(/ 302 /g)?.length).toBe(2);
    await client.closed;
  });

  test('connections beyond the limit are refused, and there is room again afterwards', async () => {
    const port = await start({ maxConnections: 2 });
    const [one, two] = [await open(port), await open(port)];
    const three = await open(port);
    expect(await three.closed).toBe('');
    one.socket.destroy();
    two.socket.destroy();
    await expect
      .poll(() =>
        rawHttp({ port }, GET).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(302);
  });

  test.each(['GET', 'HEAD', 'OPTIONS'])('a body of %s is not waited for', async (method) => {
    const port = await start();
    for (const body of ['Content-Length: 1000000000', 'Transfer-Encoding: chunked']) {
      const head = `${method} /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\n${body}\r\n\r\n`;
      const answer = await rawHttp({ port }, head);
      expect(answer.status).toBe(method === 'OPTIONS' ? 204 : 302);
      expect(answer.headers.get('connection')).toBe('close');
    }
  });

  test('a request that gets no answer, behind one with a body, is not a click', async () => {
    const port = await start();
    const body = 'Content-Length: 5\r\n\r\nhello';
    const { socket, closed } = await open(port);
    socket.write(`GET /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\n${body}${GET}`);
    expect((await closed).match(/HTTP\/1\.1 302/g)).toHaveLength(1);
    expect(links.clicks).toHaveLength(1);
  });

  test('the body of a request that is refused is not waited for', async () => {
    const port = await start();
    const head = `POST /${LIVE} HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 1000000000\r\n\r\n`;
    const answer = await rawHttp({ port }, head);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('connection')).toBe('close');
  });
});

describe('what is not HTTP', () => {
  const proxy = /^the PROXY protocol is not supported: .* X-Forwarded-For.* trusted_proxies$/;
  const v2 = '\r\n\r\n\0\r\nQUIT\n';

  test.each([
    ['PROXY v1', `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${GET}`, proxy, true],
    ['PROXY v1 of a health check', 'PROXY UNKNOWN\r\n', proxy, true],
    ['PROXY v2', `${v2}\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02${GET}`, proxy, true],
    ['PROXY v2 of a health check', `${v2}\x20\0\0\0`, proxy, true],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04', /^HTTP\/2 is not supported/, true],
    ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', /^TLS came to a port without TLS/, false],
    ['SMTP', 'EHLO x.example\r\n', /^no HTTP request came$/, false],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', /^no HTTP request came$/, false],
    ['milter', '\0\0\0\x0dO\0\0\0\x06', /^no HTTP request came$/, false],
    ['noise', '\xff\xfe\xfd', /^no HTTP request came$/, false],
  ])(
    '%s is answered with one line that says so, and reported once',
    async (_name, bytes, what, ofProxy) => {
      const { metrics, counts } = recordedMetrics();
      const { logger, lines } = recordedLog();
      const port = await start({ metrics, logger });
      const answer = await rawHttp({ port, host: '127.0.0.1' }, Buffer.from(bytes, 'latin1'));
      expect(answer.status).toBe(400);
      expect(answer.headers.get('connection')).toBe('close');
      expect(answer.body).toMatch(/^[^\n]+\n$/);
      expect(answer.body.trim()).toMatch(what);
      const message = `redirect: connection closed: ${answer.body.trim()}`;
      expect(lines).toEqual([{ level: ofProxy ? 'warn' : 'info', message, peer: '127.0.0.1' }]);
      expect(counts).toEqual(['redirects_total 400']);
      expect(links.asked).toEqual([]);
    },
  );

  test('connections that only come and go are nothing to report', async () => {
    const { metrics, counts } = recordedMetrics();
    const { logger, lines } = recordedLog();
    const port = await start({ metrics, logger });
    for (const end of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const { socket, closed } = await open(port);
      socket[end]();
      await closed;
    }
    expect((await rawHttp({ port }, GET)).status).toBe(302);
    expect([...counts, ...lines]).toEqual([]);
  });

  test('a request with a mistake in it is HTTP', async () => {
    const { logger, lines } = recordedLog();
    const port = await start({ logger });
    for (const head of ['GET /\x01 HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nA B\r\n\r\n']) {
      const answer = await rawHttp({ port }, head);
      expect(answer.status).toBe(400);
      expect(answer.body).toBe('');
    }
    expect(lines).toEqual([]);
  });
});

describe('coming to an end', () => {
  test('a request that has begun is answered, idle connections are closed, nobody new gets in', async () => {
    const port = await start();
    let release = () => {};
    const begun = new Promise<void>((resolve) => {
      links.keep = () => {
        resolve();
        return new Promise((kept) => {
          release = kept;
        });
      };
    });
    const [busy, idle] = [await open(port), await open(port)];
    idle.socket.write(GET.replace(LIVE, 'unknown'));
    await expect.poll(() => idle.received()).toContain('404');
    busy.socket.write(GET);
    await begun;
    const closing = server.close(10_000);
    await idle.closed;
    await expect(rawHttp({ port }, GET)).rejects.toThrow('ECONNREFUSED');
    expect(busy.received()).toBe('');
    release();
    expect(await busy.closed).toContain('HTTP/1.1 302 ');
    expect(await closing).toBe(0);
  });

  test('after the deadline connections are cut off and counted', async () => {
    const port = await start();
    const begun = new Promise<void>((resolve) => {
      links.keep = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const busy = await open(port);
    busy.socket.write(GET);
    await begun;
    expect(await server.close(20)).toBe(1);
    expect(await busy.closed).toBe('');
  });

  test.each([
    ['nothing', '', LONGER_THAN_A_TEST, ''],
    ['half a request', `GET /${LIVE} HTTP/1.1\r\nX-A: `, 1500, 'HTTP/1.1 408 Request Timeout'],
  ])('a connection on which %s has come does not delay it', async (_name, sent, time, received) => {
    const client = await open(await start({ requestTimeoutMs: time }));
    client.socket.write(sent);
    expect(await server.close(LONGER_THAN_A_TEST)).toBe(0);
    expect((await client.closed).split('\r\n')[0]).toBe(received);
  });

  test('a request that comes while it closes, on a connection opened before, is answered', async () => {
    const client = await open(await start());
    const closing = server.close(20_000);
    setTimeout(() => client.socket.write(GET), 200);
    expect(await client.closed).toContain('HTTP/1.1 302 ');
    expect(await closing).toBe(0);
  });
});

describe('files', () => {
  const get = async (path: string) => {
    const port = await start();
    const head = `GET ${path} HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n`;
    const answer = await rawHttp({ port }, head);
    await server.close(0);
    return answer;
  };

  test('robots.txt keeps crawlers away, unless the folder says otherwise', async () => {
    expect((await get('/robots.txt')).body).toBe('User-agent: *\nDisallow: /\n');
    await writeFile(join(folder, 'robots.txt'), 'User-agent: *\n');
    expect((await get('/robots.txt')).body).toBe('User-agent: *\n');
  });

  test.each([
    ['/favicon.ico', 'image/vnd.microsoft.icon'],
    ['/.well-known/security.txt', 'text/plain; charset=utf-8'],
    ['/.well-known/assetlinks.json', 'application/json'],
    ['/.well-known/apple-app-site-association', 'application/json'],
    ['/apple-app-site-association', 'application/json'],
    ['/.well-known/acme-challenge/aB3-_x', 'text/plain; charset=utf-8'],
  ])('%s from the folder, else 404', async (path, contentType) => {
    expect((await get(path)).status).toBe(404);
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), 'content');
    const answer = await get(`${path}?query`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(contentType);
    expect(answer.body).toBe('content');
  });

  test('nothing else, and nothing outside it', async () => {
    await mkdir(join(folder, '.well-known', 'folder'), { recursive: true });
    await writeFile(join(folder, 'secret.txt'), 'secret');
    await writeFile(join(folder, '.well-known', '.hidden'), 'secret');
    await symlink('/nowhere', join(folder, '.well-known', 'dangling'));
    await symlink('loop', join(folder, '.well-known', 'loop'));
    await symlink('/dev/zero', join(folder, '.well-known', 'zero'));
    // As many as there are threads to open files.
    for (const n of [1, 2, 3, 4]) {
      execFileSync('mkfifo', [join(folder, '.well-known', `pipe-${n}`)]);
    }
    const socket = createServer();
    await new Promise<void>((resolve) =>
      socket.listen(join(folder, '.well-known', 'socket'), resolve),
    );
    onTestFinished(() => void socket.close());
    await writeFile(join(folder, '.well-known', 'large'), Buffer.alloc(1024 * 1024 + 1));
    for (const path of [
      '/secret.txt',
      '/.well-known/../secret.txt',
      '/.well-known/%2e%2e/secret.txt',
      '/.well-known/..%2fsecret.txt',
      '/.well-known/.hidden',
      '/.well-known/folder',
      '/.well-known/folder/',
      '/.well-known/dangling',
      '/.well-known/loop',
      '/.well-known/zero',
      '/.well-known/pipe-1',
      '/.well-known/pipe-2',
      '/.well-known/pipe-3',
      '/.well-known/pipe-4',
      '/.well-known/socket',
      '/.well-known/large',
      '/.well-known/security.txt/more',
      `/.well-known/${'a'.repeat(256)}`,
      `/.well-known${`/${'a'.repeat(250)}`.repeat(4)}`,
      '/.well-known',
    ]) {
      expect((await get(path)).status, path).toBe(404);
    }
  });
});

test('whatever the target: the Location is its exact bytes', async () => {
  const port = await start();
  const ascii = fc
    .string({ unit: 'binary-ascii', maxLength: 60 })
    .map((text) => text.replace(/[^\x20-\x7e]/g, '?'));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('http', 'https', 'HTTP'), ascii, async (scheme, rest) => {
      // White space at the end is none of the header's value (RFC 9110 § 5.5), and no target has it.
      const target = `${scheme}://${rest}!`;
      links.links.set(LIVE, resolvedLink({ target }));
      const answer = await rawHttp({ port }, `GET /${LIVE} HTTP/1.0\r\nHost: ${DOMAIN}\r\n\r\n`);
      expect(answer.text).toContain(`\r\nlocation: ${target}\r\n`);
    }),
    { numRuns: 200 },
  );
});

test('whatever is behind a token: the answer is its target, or the request line is none', async () => {
  const port = await start();
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0x21, max: 0xff }), fc.constantFrom(...Buffer.from('%/?#-_.'))),
    { maxLength: 12 },
  );
  // A control character is an error of the request line.
  const appended = bytes.map((all) => Buffer.from(all.filter((byte) => byte !== 0x7f)));
  const noPartOfToken = fc.constantFrom(...Buffer.from('/?#.,;:!)>]"\'*|\\ÿ', 'latin1'));
  await fc.assert(
    fc.asyncProperty(noPartOfToken, appended, async (first, rest) => {
      const answer = await rawHttp(
        { port },
        Buffer.concat([
          Buffer.from(`GET /${LIVE}`),
          Buffer.from([first]),
          rest,
          Buffer.from(` HTTP/1.0\r\nHost: ${DOMAIN}\r\n\r\n`),
        ]),
      );
      expect(answer.status).toBe(302);
    }),
    { numRuns: 300 },
  );
});

test('keep-alive serves an agent many requests on one connection', async () => {
  const port = await start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const used = new Set<number | undefined>();
  for (let n = 0; n < 10; n++) {
    await new Promise<void>((resolve, reject) => {
      request({ port, path: `/${LIVE}`, headers: { host: DOMAIN }, agent }, (response) => {
        used.add(response.socket.localPort);
        response.resume().on('end', resolve);
      })
        .on('error', reject)
        .end();
    });
  }
  expect(used.size).toBe(1);
  agent.destroy();
});
