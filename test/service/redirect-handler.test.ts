import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { addSealKey, SealKeyFile } from '../../src/link/seal-key-file.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import {
  type ClickEvent,
  createRedirectHandler,
  type RedirectHandlerOptions,
} from '../../src/service/redirect-handler.ts';
import { BlockListFile } from '../../src/store/local/blocks.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { follow } from '../helpers/follow.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { rawHttp } from '../helpers/raw-http.ts';
import { recordedLog } from '../helpers/recorded.ts';
import { exampleMessage } from '../link/example-message.ts';

const TARGET = 'https://shop.example/?a=1&b=2';
let stateDirectory: string;
let keyFile: string;
let token: string;
let url: string;

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redirect-handler-'));
  // After the handlers, which write their counts when they close.
  onTestFinished(() => rmSync(folder, { recursive: true }));
  stateDirectory = folder;
  keyFile = join(stateDirectory, 'keys');
  await addSealKey(keyFile);
  token = await seal();
  url = `https://click.example.com/${token}`;
});

async function seal(): Promise<string> {
  const { keys } = await SealKeyFile.open(keyFile);
  const issued = createSealedLinks(keys, () => []).issuer.issue(exampleMessage());
  return issued.token({ target: TARGET, part: 'html' }) ?? '';
}

/** A server of the user's own. */
async function serve(handler: RequestListener): Promise<number> {
  const server = createServer(handler);
  onTestFinished(() => void server.close());
  return listenLocally(server);
}

async function start(options: Partial<RedirectHandlerOptions> = {}) {
  const { logger, lines } = recordedLog();
  const opened = await createRedirectHandler({ stateDirectory, keyFile, logger, ...options });
  onTestFinished(() => opened.close());
  return { ...opened, lines, port: await serve(opened.handler) };
}

const keptEvents = () => {
  const folder = join(stateDirectory, 'events');
  const files = readdirSync(folder).filter((name) => /^events-.*\.jsonl$/.test(name));
  const text = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  return text.split('\n').flatMap((line): ClickEvent[] => (line === '' ? [] : [JSON.parse(line)]));
};

test('a click is redirected, and kept in the state directory', async () => {
  const { port, close } = await start({ events: { nodeName: 'web1' } });
  expect(await follow(port, url)).toEqual({ status: 302, location: TARGET });
  await close();
  const [event, ...others] = keptEvents();
  expect(others).toEqual([]);
  expect(schemaErrors(event)).toEqual([]);
  expect(event?.msys.track_event).toMatchObject({
    target_link_url: TARGET,
    rcpt_to: 'someone@example.org',
    node_name: 'web1',
  });
});

describe('what is answered is what the service answers', () => {
  test.each([
    ['HEAD of a link', 'HEAD', () => url, 302],
    ['another method', 'POST', () => url, 405],
    ['another host', 'GET', () => url.replace('click.', 'other.'), 404],
    ['a sublink', 'GET', () => url.replace('.com/', '.com/shop/x/'), 302],
    ['another path', 'GET', () => 'https://click.example.com/login', 404],
    ['the home page', 'GET', () => 'https://click.example.com/', 200],
    ['robots.txt', 'GET', () => 'https://click.example.com/robots.txt', 200],
  ])('%s', async (_what, method, asked, status) => {
    const { port } = await start();
    expect((await follow(port, asked(), method)).status).toBe(status);
  });

  test('a blocked link', async () => {
    await new BlockListFile(join(stateDirectory, 'blocked')).add({ kind: 'token', value: token });
    const { port } = await start();
    expect((await follow(port, url)).status).toBe(410);
  });

  test('behind a prefix that a framework removes, and a proxy', async () => {
    const { handler } = await start({ trustedProxies: ['127.0.0.1'] });
    const port = await serve((request, response) => {
      request.url = String(request.url).replace('/mounted', '');
      handler(request, response);
    });
    const head = `GET /mounted/${token} HTTP/1.1\r\nHost: inside\r\nX-Forwarded-Host: click.example.com\r\n\r\n`;
    expect((await rawHttp({ port }, head)).status).toBe(302);
  });
});

describe('onClick', () => {
  test('takes the events in place of the store, before the reader is redirected', async () => {
    const clicks: ClickEvent[] = [];
    const { port, close } = await start({
      onClick: async (event) => {
        await new Promise(setImmediate);
        clicks.push(event);
      },
      events: { anonymizeIp: true, customerId: '7' },
    });
    await follow(port, url, 'HEAD');
    expect(clicks).toEqual([]);
    await follow(port, url);
    expect(clicks.map(schemaErrors)).toEqual([[]]);
    expect(clicks[0]?.msys.track_event).toMatchObject({
      ip_address: '127.0.0.0',
      customer_id: '7',
      automation_reasons: expect.arrayContaining(['head_request']),
    });
    await close();
    expect(readdirSync(stateDirectory).filter((name) => !name.startsWith('keys'))).toEqual([]);
  });

  test('that fails keeps no reader from the target', async () => {
    const { port, lines } = await start({
      onClick: () => {
        throw new Error('no room');
      },
    });
    expect((await follow(port, url)).status).toBe(302);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', reason: 'no room' }));
  });
});

test('without the host check, sealed links are tried with the tracking domains', async () => {
  const { port } = await start({ checkHost: false, trackingDomains: ['click.example.com'] });
  expect((await follow(port, `http://localhost/${token}`)).status).toBe(302);
});

test('an undefined option is an option that is not given', async () => {
  const given = { checkHost: undefined, trustedProxies: undefined, onClick: undefined };
  const { port } = await start({ ...given, events: { nodeName: undefined } } as object);
  expect((await follow(port, url)).status).toBe(302);
  expect((await follow(port, url.replace('click.', 'other.'))).status).toBe(404);
});

test.each([
  ['no store', { keyFile: undefined }, 'neither redis nor keyFile'],
  ['no key file', { keyFile: '/nonexistent/keys' }, '/nonexistent/keys'],
  ['no tracking domains', { checkHost: false }, 'expected trackingDomains'],
  [
    'too many tracking domains',
    { checkHost: false, trackingDomains: Array(101).fill('click.example.com') },
    'with 101 trackingDomains: expected at most 100',
  ],
  ['a wrong proxy', { trustedProxies: ['proxy'] }, '"proxy" is not an address'],
  ['a wrong URL', { redis: { url: 'http://u:secret@h/' } }, 'redis.url: must be redis://'],
])('an error names what is wrong: %s', async (_what, options, message) => {
  const opening = createRedirectHandler({ stateDirectory, keyFile, ...options } as never);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow('secret');
});

test('close may be called again', async () => {
  const { close } = await start();
  await close();
  await close();
});
