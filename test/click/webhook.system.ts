import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { postBatch } from '../../src/click/post-batch.ts';
import { Webhook } from '../../src/click/webhook.ts';
import { type Logger, silent } from '../../src/lib/logger.ts';
import type { RedisStore } from '../../src/store/redis/store.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { recordedLog } from '../helpers/recorded.ts';
import { startRedis } from '../helpers/redis.ts';
import { makeCertificates } from '../helpers/tls-certificates.ts';
import { hang, startWebhookServer, status } from '../helpers/webhook-server.ts';
import { openStore as openRedisStore } from '../store/redis/open-store.ts';

const releases: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

const event = (n: number) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;

describe('consumers of the Redis stream', () => {
  async function openStore(): Promise<RedisStore> {
    const redis = await startRedis();
    releases.push(() => redis.stop());
    const store = openRedisStore({ url: redis.url });
    releases.push(() => store.close());
    return store;
  }

  function deliver(
    store: RedisStore,
    name: string,
    url: string,
    logger: Logger = silent,
    webhookIntervalMs = 50,
  ) {
    const webhook = new Webhook({
      ...eventsDefaults,
      consumer: store.events.openConsumer({ group: 'webhook', name }, undefined, 1000),
      webhook: url,
      webhookBatchSize: 50,
      webhookIntervalMs,
      webhookTimeoutMs: 60_000,
      backoffMs: 10,
      logger,
    });
    releases.push(() => webhook.close(100));
    webhook.start();
    return webhook;
  }

  test('share the work, and what one leaves undone when it is gone the other one delivers', async () => {
    const store = await openStore();
    const [well, stuck] = [await startWebhookServer(), await startWebhookServer()];
    releases.push(well.close, stuck.close);
    stuck.behaviours.push(...Array(1000).fill(hang));
    const { logger, lines } = recordedLog();
    const delivered = () => lines.reduce((sum, { events }) => sum + Number(events ?? 0), 0);
    const gone = deliver(store, 'stuck', stuck.url);
    await store.events.stream.append(Array.from({ length: 50 }, (_, n) => event(n)));
    await expect.poll(() => stuck.batches.length).toBe(1);

    deliver(store, 'well', well.url, logger);
    await store.events.stream.append(Array.from({ length: 500 }, (_, n) => event(50 + n)));
    await expect.poll(delivered).toBe(500);
    // It ends in the middle of its batch; nobody else had these events until now.
    await gone.close(10);
    const ids = () =>
      well.batches.flatMap(({ events }) =>
        events.map(({ msys }) => Number(msys.track_event.event_id)),
      );
    await expect.poll(() => ids().length).toBe(550);
    expect(ids().sort((a, b) => a - b)).toEqual(Array.from({ length: 550 }, (_, n) => n));
    const repeated = well.batches.find(({ events }) =>
      events.some(({ msys }) => msys.track_event.event_id === '0'),
    );
    const header = 'x-messagesystems-batch-id';
    expect(repeated?.headers[header]).toBe(stuck.batches[0]?.headers[header]);
  });

  test('gather what comes within the interval', async () => {
    const store = await openStore();
    const server = await startWebhookServer();
    releases.push(server.close);
    const { logger, lines } = recordedLog();
    deliver(store, 'one', server.url, logger, 500);
    await store.events.stream.append([event(1)]);
    await sleep(100);
    await store.events.stream.append([event(2)]);
    await expect.poll(() => server.batches.length).toBe(1);
    expect(server.batches[0]?.events).toHaveLength(2);
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('know what waits: read by somebody or by nobody, and since when', async () => {
    const store = await openStore();
    const consumer = store.events.openConsumer({ group: 'webhook', name: 'one' });
    releases.push(() => consumer.close());
    expect(await consumer.backlog()).toEqual({ events: 0 });
    const before = Date.now() - 1000;
    await store.events.stream.append([event(1), event(2), event(3)]);
    const waiting = await consumer.backlog();
    expect(waiting.events).toBe(3);
    expect(waiting.oldest).toBeGreaterThan(before);
    const read = await consumer.next(2, 0);
    expect(await consumer.backlog()).toEqual(waiting);
    await consumer.acknowledge(read);
    expect((await consumer.backlog()).events).toBe(1);
    await consumer.acknowledge(await consumer.next(2, 0));
    expect(await consumer.backlog()).toEqual({ events: 0 });
  });

  test('who is forgotten between two attempts is not delivered any more', async () => {
    const store = await openStore();
    let forgotten = 0;
    const server = await startWebhookServer([
      async (...answering) => {
        forgotten = (await store.forget({ address: 'a@x.example' })).events;
        await status(503)(...answering);
      },
    ]);
    releases.push(server.close);
    const about = (n: number, recipient: string) =>
      JSON.stringify({ msys: { track_event: { event_id: `${n}`, rcpt_to: recipient } } });
    await store.events.stream.append([about(1, 'a@x.example'), about(2, 'b@x.example')]);
    deliver(store, 'node', server.url);
    await expect.poll(() => server.batches.length).toBe(2);
    expect(forgotten).toBe(1);
    expect(JSON.parse(server.batches[1]?.body ?? '')).toEqual([
      JSON.parse(about(2, 'b@x.example')),
    ]);
  });

  test.each([
    ['refuses it', 400, 60_000],
    ['fails', 503, 60_000],
    ['fails for too long', 503, 0],
  ])(
    'an event that another host took over meanwhile is left to that host: the server %s',
    async (_what, code, webhookRetryForMs) => {
      const redis = await startRedis();
      releases.push(() => redis.stop());
      const store = openRedisStore({ url: redis.url });
      releases.push(() => store.close());
      const key = 'clickmilter:events';
      const pending = () => redis.cli('XPENDING', key, 'webhook', '-', '+', '10');
      const id = (text: string) => /^\d+-\d+/.exec(text)?.[0] ?? '';
      // As where this host was suspended during the attempt.
      const server = await startWebhookServer([
        async (...answering) => {
          await redis.cli('XCLAIM', key, 'webhook', 'other', '0', id(await pending()));
          await status(code)(...answering);
        },
      ]);
      releases.push(server.close);
      const deadLetters: string[] = [];
      const webhook = new Webhook({
        ...eventsDefaults,
        consumer: store.events.openConsumer({ group: 'webhook', name: 'suspended' }),
        deadLetters: { path: '', add: async (events) => void deadLetters.push(...events) },
        webhook: server.url,
        webhookIntervalMs: 10,
        webhookRetryForMs,
        backoffMs: 10,
      });
      releases.push(() => webhook.close(100));
      await store.events.stream.append([event(1)]);
      webhook.start();
      await expect.poll(() => server.batches.length).toBe(1);
      await store.events.stream.append([event(2)]);
      await expect.poll(() => server.batches.at(-1)?.body).toBe(`[${event(2)}]`);
      await expect.poll(pending).toMatch(/^\d+-\d+\nother\n\d+\n\d+$/);
      expect(deadLetters).toEqual([]);
    },
  );

  test('that were restarted go on under the same batch id', async () => {
    const store = await openStore();
    const server = await startWebhookServer([hang]);
    releases.push(server.close);
    await store.events.stream.append([event(1), event(2)]);
    const first = deliver(store, 'node', server.url);
    await expect.poll(() => server.batches.length).toBe(1);
    await first.close(10);
    await sleep(20);
    deliver(store, 'node', server.url);
    await expect.poll(() => server.batches.length).toBe(2);
    const [one, two] = server.batches;
    expect(two?.body).toBe(one?.body);
    const header = 'x-messagesystems-batch-id';
    expect(two?.headers[header]).toBe(one?.headers[header]);
  });
});

describe('TLS', () => {
  async function tlsServer() {
    const certificates = await makeCertificates();
    const server = createServer(
      { cert: readFileSync(certificates.certificate), key: readFileSync(certificates.key) },
      (request, response) => void request.resume().on('end', () => response.end()),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    releases.push(() => {
      server.close();
      server.closeAllConnections();
      return rm(certificates.folder, { recursive: true, force: true });
    });
    const { port } = server.address() as AddressInfo;
    return { ...certificates, url: `https://localhost:${port}/` };
  }
  const request = { id: 'id', events: [{ id: '1', event: event(1) }], webhookTimeoutMs: 5000 };

  test('a certificate that nobody vouches for is not accepted', async () => {
    const { url } = await tlsServer();
    const answer = await postBatch({ ...request, webhook: url });
    expect(answer).toMatchObject({ delivered: false });
    expect(answer).toHaveProperty('reason', expect.stringMatching(/certificate/));
  });

  test("one's own authority is named by NODE_EXTRA_CA_CERTS, and the host name has to fit", async () => {
    const { url, ca } = await tlsServer();
    const wrong = url.replace('localhost', '127.0.0.2');
    const script = `
      import { postBatch } from '${new URL('../../src/click/post-batch.ts', import.meta.url)}';
      for (const url of ['${url}', '${wrong}'])
        console.log(JSON.stringify(await postBatch({ ...${JSON.stringify(request)}, webhook: url })));
    `;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { env: { ...process.env, NODE_EXTRA_CA_CERTS: ca }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await new Promise((resolve) => child.once('close', resolve));
    const [right, other] = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(right).toEqual({ delivered: true });
    expect(other).toMatchObject({ delivered: false });
  });
});
