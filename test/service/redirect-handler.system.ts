import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import type { LinkIssuer } from '../../src/link/link-store.ts';
import { addSealKey } from '../../src/link/seal-key-file.ts';
import { type Links, openLinks } from '../../src/service/links.ts';
import {
  createRedirectHandler,
  type RedirectHandlerOptions,
} from '../../src/service/redirect-handler.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { follow } from '../helpers/follow.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { exampleMessage } from '../link/example-message.ts';

const TARGET = 'https://shop.example/';
let folder: string;
let redis: Redis;
let links: Links;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'redirect-handler-'));
  redis = await startRedis();
  const config = configurationOf(
    `link_store = redis  redis { url = "${redis.url}"  key_prefix = "mail:" }  sealed { key_file = "${folder}/keys" }`,
  );
  links = await openLinks(config, silent, noMetrics);
});
afterAll(async () => {
  await links?.close();
  await redis?.stop();
  rmSync(folder, { recursive: true });
});

async function issue(issuer: LinkIssuer): Promise<string> {
  const issued = issuer.issue(exampleMessage());
  const token = issued.token({ target: TARGET, part: 'text' });
  await issued.commit();
  return `https://click.example.com/${token}`;
}

async function start(options: Partial<RedirectHandlerOptions> = {}) {
  const { handler, close } = await createRedirectHandler({
    stateDirectory: join(folder, 'state'),
    redis: { url: redis.url, keyPrefix: 'mail:', commandTimeoutMs: 500 },
    ...options,
  });
  const server = createServer(handler);
  onTestFinished(() => {
    server.close();
    return close();
  });
  return listenLocally(server);
}

test('stored links, and sealed ones where there is a key file', async () => {
  const stored = await issue(links.issuer);
  const sealed = await issue(links.sealed);
  const both = await start({ keyFile: join(folder, 'keys') });
  const alone = await start();
  const right = { status: 302, location: TARGET };
  expect(await follow(both, stored)).toEqual(right);
  expect(await follow(both, sealed)).toEqual(right);
  expect(await follow(alone, stored)).toEqual(right);
  expect((await follow(alone, sealed)).status).toBe(404);
  const stream = await redis.cli('XRANGE', 'mail:events', '-', '+');
  const events = stream.split('\n').filter((line) => line.startsWith('{'));
  expect(events.map((event) => schemaErrors(JSON.parse(event)))).toEqual([[], [], []]);
});

test('while Redis is away, links may exist, and clicks on sealed ones wait', async () => {
  const sealed = await issue(links.sealed);
  const stored = await issue(links.issuer);
  const port = await start({ keyFile: join(folder, 'keys') });
  await redis.kill();
  expect((await follow(port, stored)).status).toBe(503);
  expect((await follow(port, sealed)).status).toBe(302);
  const waiting = () =>
    readdirSync(join(folder, 'state/events')).filter((name) => name.startsWith('pending-'));
  expect(waiting()).toHaveLength(1);
  await redis.start();
  const length = async () => Number(await redis.cli('XLEN', 'mail:events'));
  await poll('the click in the stream', async () => (await length()) > 0);
});

test('a key that is added to the file opens links as well', async () => {
  const keyFile = join(folder, 'keys');
  const before = await issue(links.sealed);
  const port = await start({ keyFile });
  await addSealKey(keyFile);
  await links.keys.reload();
  const sealed = await issue(links.sealed);
  const isOpened = async () => (await follow(port, sealed)).status === 302;
  await poll('the new key in use', isOpened, 30_000);
  expect((await follow(port, before)).status).toBe(302);
}, 40_000);
