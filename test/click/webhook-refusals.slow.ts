import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Webhook, type WebhookOptions } from '../../src/click/webhook.ts';
import { DeadLetters } from '../../src/store/local/dead-letters.ts';
import { forgetInJournal } from '../../src/store/local/forget.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { JournalConsumer } from '../../src/store/local/journal-consumer.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { recordedLog, recordedMetrics } from '../helpers/recorded.ts';
import {
  accept,
  type Behaviour,
  type ReceivedBatch,
  startWebhookServer,
  status,
} from '../helpers/webhook-server.ts';

let folder: string;
let journal: Journal;
let server: Awaited<ReturnType<typeof startWebhookServer>>;
let webhooks: Webhook[];
let log: ReturnType<typeof recordedLog>;
let metered: ReturnType<typeof recordedMetrics>;
/** Reasons for retries, and why events became dead letters. */
const told = () => [
  ...log.lines.flatMap(({ message, reason }) =>
    message === 'events not delivered yet' ? [String(reason)] : [],
  ),
  ...metered.counts.map((count) => count.replace('events_dead_lettered_total ', '')),
];
let judge: (batch: ReceivedBatch) => Behaviour;

const event = (n: number, padding = 0) =>
  `{"msys":{"track_event":{"event_id":"${n}","rcpt_to":"r${n}@x.example","p":"${'p'.repeat(padding)}"}}}`;
const idsOf = ({ events }: Pick<ReceivedBatch, 'events'>) =>
  events.map(({ msys }) => Number(msys.track_event.event_id));
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index);
const append = (...numbers: number[]) => journal.append(numbers.map((n) => event(n)));
/** Refuses batches with one of these events. */
const refusing =
  (code: number, ...offenders: number[]) =>
  (batch: ReceivedBatch) =>
    idsOf(batch).some((id) => offenders.includes(id)) ? status(code) : accept;

let accepted: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-refusals-'));
  journal = new Journal({ ...eventsDefaults, folder, kind: 'events' });
  judge = () => accept;
  accepted = [];
  server = await startWebhookServer([], (batch) => {
    const behaviour = judge(batch);
    if (behaviour === accept) accepted.push(...idsOf(batch));
    return behaviour;
  });
  webhooks = [];
  log = recordedLog();
  metered = recordedMetrics();
});
afterEach(async () => {
  for (const webhook of webhooks) await webhook.close(1000);
  await server.close();
  await journal.close();
  await rm(folder, { recursive: true, force: true });
});

function start(options: Partial<WebhookOptions> = {}): Webhook {
  const webhook = new Webhook({
    ...eventsDefaults,
    consumer: new JournalConsumer(folder, 'webhook'),
    webhook: server.url,
    deadLetters: new DeadLetters(folder),
    webhookIntervalMs: 20,
    webhookTimeoutMs: 2000,
    backoffMs: 5,
    maxBackoffMs: 20,
    logger: log.logger,
    metrics: metered.metrics,
    ...options,
  });
  webhooks.push(webhook);
  webhook.start();
  return webhook;
}

async function deadLetters(): Promise<{ id: number; reason: string }[]> {
  const text = await readFile(join(folder, 'dead-letters.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line))
    .map(({ msys, dead_letter }) => ({
      id: Number(msys.track_event.event_id),
      reason: dead_letter.reason,
    }));
}

describe('a batch that the server refuses', () => {
  test.each([400, 401, 403, 404, 406, 409, 410, 411, 413, 415, 418, 422, 431, 451])(
    '%d: the offender is put aside, everything else is delivered at once',
    async (code) => {
      judge = refusing(code, 5);
      await append(...range(0, 12));
      start({ backoffMs: 60_000, maxBackoffMs: 60_000 });
      await expect.poll(() => accepted.length).toBe(11);
      expect(accepted).toEqual(range(0, 12).filter((n) => n !== 5));
      await expect.poll(deadLetters).toEqual([{ id: 5, reason: `HTTP ${code}` }]);
      expect(told()).toEqual(['refused']);
      await append(12);
      await expect.poll(() => accepted.at(-1)).toBe(12);
    },
  );

  test('any offenders in any batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat({ max: 39 }), { maxLength: 9 }),
        fc.integer({ min: 1, max: 40 }),
        async (offenders, webhookBatchSize) => {
          await rm(folder, { recursive: true, force: true });
          journal = new Journal({ ...eventsDefaults, folder, kind: 'events' });
          accepted = [];
          judge = refusing(400, ...offenders);
          await append(...range(0, 40));
          const webhook = start({ webhookBatchSize });
          const others = range(0, 40).filter((n) => !offenders.includes(n));
          await expect.poll(() => accepted.length, { interval: 5 }).toBe(others.length);
          await expect
            .poll(async () => (await deadLetters()).map(({ id }) => id), { interval: 5 })
            .toEqual([...offenders].sort((a, b) => a - b));
          await webhook.close(1000);
          expect(accepted).toEqual(others);
          await journal.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  test('takes a number of requests that grows with the offenders, not with the batch', async () => {
    judge = refusing(400, 700);
    await append(...range(0, 1000));
    start();
    await expect.poll(() => accepted.length).toBe(999);
    expect(server.batches.length).toBeLessThan(25);
  });

  test('one event alone', async () => {
    judge = refusing(400, 1);
    await append(1);
    start();
    await expect.poll(deadLetters).toEqual([{ id: 1, reason: 'HTTP 400' }]);
    await append(2);
    await expect.poll(() => accepted).toEqual([2]);
  });

  test.each([400, 403, 404])(
    '%d for everything: the server is at fault, and nothing is put aside',
    async (code) => {
      judge = () => status(code);
      await append(...range(0, 100));
      start();
      await expect.poll(() => told().length).toBeGreaterThan(3);
      expect(new Set(told())).toEqual(new Set([`HTTP ${code}`]));
      expect(await deadLetters()).toEqual([]);
      judge = () => accept;
      await expect.poll(() => [...accepted].sort((a, b) => a - b)).toEqual(range(0, 100));
      expect(await deadLetters()).toEqual([]);
    },
  );

  test('401 for the only event there is: tried until the token is right', async () => {
    judge = () => status(401);
    await append(1);
    start();
    await expect.poll(() => told().length).toBeGreaterThan(3);
    judge = () => accept;
    await expect.poll(() => accepted).toEqual([1]);
    expect(await deadLetters()).toEqual([]);
  });

  test('503 in the middle of it: only what is left is tried again', async () => {
    judge = refusing(400, 3);
    await append(...range(0, 8));
    server.behaviours.push(status(400), status(400), accept, status(503));
    start();
    await expect.poll(deadLetters).toEqual([{ id: 3, reason: 'HTTP 400' }]);
    await expect.poll(() => server.batches.flatMap(idsOf).includes(7)).toBe(true);
    await expect.poll(() => accepted.length).toBe(5); // 0 and 1 were accepted as told
    expect(told()).toContain('HTTP 503');
    const afterwards = server.batches.slice(4).flatMap(idsOf);
    expect(afterwards).not.toContain(0);
  });

  test('a time for retries that is over: put aside too', async () => {
    judge = () => status(503);
    await append(1, 2);
    start({ webhookRetryForMs: 50 });
    await expect.poll(told).toEqual(expect.arrayContaining(['given up', 'given up']));
    await expect
      .poll(deadLetters)
      .toEqual([1, 2].map((id) => ({ id, reason: 'given up: HTTP 503' })));
  });

  test('a folder where nothing can be put aside: told, and the rest goes on', async () => {
    judge = refusing(400, 1);
    await append(1, 2);
    start({ deadLetters: new DeadLetters(join(folder, 'x'.repeat(300))) });
    await expect.poll(told).toEqual(['refused', 'lost']);
    expect(accepted).toEqual([2]);
  });
});

describe('batches are bounded in bytes', () => {
  test('as many events as fit, everything in order', async () => {
    for (const n of range(0, 40)) await journal.append([event(n, (n % 7) * 1000)]);
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => accepted.length).toBe(40);
    expect(accepted).toEqual(range(0, 40));
    for (const { body } of server.batches) expect(body.length).toBeLessThan(10_500);
  });

  test('a larger event goes alone', async () => {
    await journal.append([event(0), event(1, 50_000), event(2)]);
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => accepted).toEqual([0, 1, 2]);
    expect(server.batches.map(idsOf)).toEqual([[0], [1], [2]]);
  });

  test('413: smaller ones, also from then on', async () => {
    judge = ({ body }) => (body.length > 5_000 ? status(413) : accept);
    await journal.append(range(0, 200).map((n) => event(n, 400)));
    start({ webhookBatchBytes: 40_000, webhookIntervalMs: 5 });
    await expect.poll(() => accepted.length).toBe(200);
    expect(accepted).toEqual(range(0, 200));
    expect(await deadLetters()).toEqual([]);
    const refusals = server.batches.filter(({ body }) => body.length > 5_000);
    expect(refusals.length).toBeLessThan(server.batches.length / 2);
    expect(refusals.filter(({ body }) => body.length > 30_000)).toHaveLength(1);
  });

  test('after a restart in the middle it is the same batch', async () => {
    await journal.append(range(0, 30).map((n) => event(n, 1000)));
    judge = () => status(500);
    const first = start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => server.batches.length).toBeGreaterThan(1);
    await first.close(1000);
    const [before] = server.batches.splice(0);
    judge = () => accept;
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => accepted.length).toBe(30);
    const id = 'x-messagesystems-batch-id';
    expect(server.batches[0]?.body).toBe(before?.body);
    expect(server.batches[0]?.headers[id]).toBe(before?.headers[id]);
    expect(accepted).toEqual(range(0, 30));
  });
});

describe('dead letters', () => {
  test('are bounded: the oldest go', async () => {
    const letters = new DeadLetters(folder, 10_000);
    for (const n of range(0, 200)) await letters.add([event(n, 500)], 'HTTP 400');
    const files = (await readdir(folder)).filter((name) => name.startsWith('dead-letters'));
    const sizes = await Promise.all(
      files.map(async (name) => (await stat(join(folder, name))).size),
    );
    expect(Math.max(...sizes)).toBeLessThan(11_000);
    expect(files.length).toBeLessThanOrEqual(2);
  });

  test('lose those whose recipient is forgotten', async () => {
    const letters = new DeadLetters(folder, 500);
    for (const n of [1, 2, 3, 1]) await letters.add([event(n)], 'HTTP 400');
    expect(await forgetInJournal(folder, 'R1@x.example')).toBe(2);
    for (const name of await readdir(folder)) {
      expect(await readFile(join(folder, name), 'utf8')).not.toContain('r1@x.example');
    }
  });
});
