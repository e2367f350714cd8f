import { createServer } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { startBrowser } from '../helpers/browser.ts';
import { poll } from '../helpers/poll.ts';
import { rawHttp } from '../helpers/raw-http.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';
import { APPENDED } from './appended.ts';

// What comes to the endpoint, sent to the running service: links of real messages, stored and sealed.

const LINKS = 130;
let redis: Redis;
const services: Partial<Record<string, Service>> = {};
/** Pages that links lead to. */
const arrived: string[] = [];
const targets = createServer((request, response) => {
  arrived.push(request.url ?? '');
  response.end('<title>Arrived</title>');
});
let base: string;

beforeAll(async () => {
  redis = await startRedis();
  await new Promise<void>((resolve) => targets.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(targets.address() as AddressInfo).port}`;
  const scope = 'ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "localhost" }';
  services['stored'] = await startService(
    `link_store = redis\nredis { url = "${redis.url}" }\n${scope}`,
  );
  services['sealed'] = await startService(scope);
});
afterAll(async () => {
  for (const service of Object.values(services)) await service?.stop();
  await redis?.stop();
  targets.close();
});

/** The paths of a message's links, every other one with a sublink, by target. */
async function issue(service: Service, name: string): Promise<Map<string, string>> {
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const anchors = Array.from(
    { length: LINKS },
    (_, n) =>
      `<a href="${base}/${name}/${n}"${n % 2 ? ' data-msys-sublink="shop/x"' : ''}>${n}</a>\r\n`,
  );
  const { message } = await client.send({
    message: Buffer.from(`Subject: x\r\nContent-Type: text/html\r\n\r\n${anchors.join('')}`),
  });
  await client.quit();
  const paths = [...message.toString().matchAll(/href="http:\/\/localhost(\/[^"]+)"/g)];
  expect(paths).toHaveLength(LINKS);
  return new Map(paths.map(([, path = ''], n) => [`${base}/${name}/${n}`, path]));
}

async function ask({ httpPort }: Service, path: string, method = 'GET') {
  const request = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  const target = { host: '127.0.0.1', port: httpPort };
  const { status, headers } = await rawHttp(target, Buffer.from(request, 'latin1'));
  return { status, location: headers.get('location') };
}

const first = <T>(values: Iterable<T>): T => {
  for (const value of values) return value;
  throw new Error('there is none');
};

describe.each(['stored', 'sealed'])('links that are %s', (kind) => {
  let service: Service;
  let links: Map<string, string>;
  beforeAll(async () => {
    service = services[kind] as Service;
    links = await issue(service, kind);
  });

  test('each leads to its target, also with what readers append to every link', async () => {
    for (const [target, path] of links) {
      for (const appended of ['', '-', '_', '.', '/', '%3Ffbclid=x', '\xe2\x80\x9d']) {
        const answer = await ask(service, `${path}${appended}`);
        expect(answer, path + appended).toEqual({ status: 302, location: target });
      }
      // As Thunderbird and Android take it.
      const cut = await ask(service, path.replace(/-+$/, ''));
      expect(cut, path).toEqual({ status: 302, location: target });
    }
  });

  test.each(APPENDED)('%s is cut', async (_name, appended) => {
    for (const [target, path] of [...links].slice(0, 4)) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await ask(service, `${path}${appended}`, method);
        expect(answer, path + appended).toEqual({ status: 302, location: target });
      }
    }
  });

  test('foreign, altered, shortened and doubled tokens are unknown', async () => {
    const [, path] = first(links);
    const token = path.slice(path.lastIndexOf('/') + 1);
    const wrong = [
      `${token}${token}`,
      `${token}-${token}`,
      `x${token}`,
      `${token}x`,
      `${token}A`,
      token.toUpperCase() === token ? token.toLowerCase() : token.toUpperCase(),
      [...token].reverse().join(''),
    ];
    for (let length = 1; length < token.length; length++) wrong.push(token.slice(0, length));
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === 'b' ? 'c' : 'b';
      wrong.push(token.slice(0, at) + other + token.slice(at + 1));
    }
    for (const one of wrong) {
      for (const appended of ['', ')', '_']) {
        expect((await ask(service, `/${one}${appended}`)).status, one + appended).toBe(404);
      }
    }
    const elsewhere = Object.entries(services).find(([name]) => name !== kind)?.[1] as Service;
    expect((await ask(elsewhere, path)).status).toBe(404);
  });

  test('a blocked one is gone, whatever is behind it', async () => {
    const [, path] = [...links].at(-1) as [string, string];
    const url = `http://localhost${path}`;
    const { code, stderr } = await runCli(['--config', service.configFile, 'block', url]);
    expect(code, stderr).toBe(0);
    for (const appended of ['', '-', '_.', ')', '/', '?fbclid=x', '%3Ffbclid=x', '\x94']) {
      expect((await ask(service, `${path}${appended}`)).status, appended).toBe(410);
    }
  });

  test('Chromium arrives, whatever was appended', async () => {
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      // Each behind a link with a sublink and one without, of which one is stored and one sealed.
      const pair = kind === 'stored' ? [...links].slice(0, 2) : [...links].slice(1, 3);
      for (const [n, [name, appended]] of APPENDED.entries()) {
        const [target, path] = pair[n % 2] ?? expect.fail();
        arrived.length = 0;
        // Of an address typed or clicked, text; a browser escapes what must be escaped by itself.
        const text = Buffer.from(appended, 'latin1').toString();
        await page.goto(`http://localhost:${service.httpPort}${path}${text}`);
        expect(page.url().replace(/#.*/, ''), name).toBe(target);
        expect(arrived.filter((one) => one !== '/favicon.ico')).toEqual([new URL(target).pathname]);
      }
      const home = await page.goto(`http://localhost:${service.httpPort}/`);
      expect(home?.status()).toBe(200);
      expect(await page.textContent('p')).toContain('sends the reader on');
    } finally {
      await browser.close();
    }
  });
});

test('records that cannot be used cost their own request an answer, and nothing else', async () => {
  const service = services['stored'] as Service;
  const good = first((await issue(service, 'good')).values());
  for (const bad of [
    '',
    'x',
    '\0',
    '{}',
    '[]',
    '9'.repeat(400),
    '\x01\xff\xfe',
    '"'.repeat(70_000),
  ]) {
    const path = first((await issue(service, 'bad')).values());
    const messageId = path.slice(path.lastIndexOf('/') + 2).slice(0, 16);
    const key = (await redis.cli('keys', `*${messageId}*`)).trim();
    expect(key).not.toBe('');
    await redis.cli('set', key, bad.replaceAll('\0', '\x02'));
    for (const asked of [path, `${path}_`, `${path})`]) {
      expect([404, 503]).toContain((await ask(service, asked)).status);
    }
    await redis.cli('del', key);
    await redis.cli('hset', key, 'a', 'b');
    expect([404, 503]).toContain((await ask(service, path)).status);
    expect((await ask(service, good)).status).toBe(302);
  }
});

test('a click on a stored link without a store, and peers without HTTP: a line for each second and kind', async () => {
  const service = services['sealed'] as Service;
  const path = first((await issue(services['stored'] as Service, 'elsewhere')).values());
  const port = service.httpPort;
  const began = Date.now();
  for (let times = 0; times < 40; times++) {
    expect((await ask(service, path)).status).toBe(404);
    const proxied = `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`;
    expect((await rawHttp({ host: '127.0.0.1', port }, proxied)).status).toBe(400);
    expect((await rawHttp({ host: '127.0.0.1', port }, 'EHLO x\r\n')).status).toBe(400);
    await new Promise((resolve) =>
      createConnection(port, '127.0.0.1').end().once('close', resolve),
    );
  }
  await poll('the lines', () => linesOf(service, /PROXY protocol/).length > 0);
  const most = 2 + (Date.now() - began) / 1000;
  for (const kind of [
    /^click on a stored link, but link_store is "sealed"/,
    /^redirect: connection closed: the PROXY protocol is not supported/,
    /^redirect: connection closed: no HTTP request came/,
  ]) {
    const lines = linesOf(service, kind);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(most);
    expect(JSON.stringify(lines)).not.toContain('stack');
  }
  expect(service.output()).not.toMatch(/\n {4}at |unhandled/i);
});

function linesOf(service: Service, message: RegExp) {
  return service.log().filter(({ msg }) => message.test(String(msg)));
}
