import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WebhookOptions } from '../../src/click/webhook.ts';
import { DeadLetters } from '../../src/store/local/dead-letters.ts';
import { forgetInJournal } from '../../src/store/local/erase.ts';
import { JournalConsumer } from '../../src/store/local/journal-consumer.ts';
import { accept, type ReceivedBatch, status } from '../helpers/webhook-server.ts';
import { idsOf, range, WebhookFixture } from './webhook-fixture.ts';

const fixture = new WebhookFixture();

/** Reasons for retries, and why events became dead letters. */
const told = () => [
  ...fixture.log.lines.flatMap(({ message, reason }) =>
    message === 'events not delivered yet' ? [String(reason)] : [],
  ),
  ...fixture.metered.counts.map((count) => count.replace('events_dead_lettered_total ', '')),
];

const event = (n: number, padding = 0) =>
  `{"msys":{"track_event":{"event_id":"${n}","rcpt_to":"r${n}@x.example","p":"${'p'.repeat(padding)}"}}}`;
const append = (...numbers: number[]) => fixture.journal.append(numbers.map((n) => event(n)));
/** Refuses batches with one of these events. */
const refusing =
  (code: number, ...offenders: number[]) =>
  (batch: ReceivedBatch) =>
    idsOf(batch).some((id) => offenders.includes(id)) ? status(code) : accept;

const start = (options: Partial<WebhookOptions> = {}) =>
  fixture.start({ deadLetters: new DeadLetters(fixture.folder), ...options });

async function deadLetters(): Promise<{ id: number; reason: string }[]> {
  const text = await readFile(join(fixture.folder, 'dead-letters.jsonl'), 'utf8').catch(() => '');
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
      fixture.judge = refusing(code, 5);
      await append(...range(0, 12));
      start({ backoffMs: 60_000, maxBackoffMs: 60_000 });
      await expect.poll(() => fixture.accepted.length).toBe(11);
      expect(fixture.accepted).toEqual(range(0, 12).filter((n) => n !== 5));
      await expect.poll(deadLetters).toEqual([{ id: 5, reason: `HTTP ${code}` }]);
      await expect.poll(told).toEqual(['refused']);
      await append(12);
      await expect.poll(() => fixture.accepted.at(-1)).toBe(12);
    },
  );

  test('any offenders in any batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat({ max: 39 }), { maxLength: 9 }),
        fc.integer({ min: 1, max: 40 }),
        async (offenders, webhookBatchSize) => {
          await fixture.emptyJournal();
          fixture.accepted = [];
          fixture.judge = refusing(400, ...offenders);
          await append(...range(0, 40));
          const webhook = start({ webhookBatchSize });
          const others = range(0, 40).filter((n) => !offenders.includes(n));
          await expect.poll(() => fixture.accepted.length, { interval: 5 }).toBe(others.length);
          await expect
            .poll(async () => (await deadLetters()).map(({ id }) => id), { interval: 5 })
            .toEqual([...offenders].sort((a, b) => a - b));
          await webhook.close(1000);
          expect(fixture.accepted).toEqual(others);
          await fixture.journal.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  test('takes a number of requests that grows with the offenders, not with the batch', async () => {
    fixture.judge = refusing(400, 700);
    await append(...range(0, 1000));
    start();
    await expect.poll(() => fixture.accepted.length).toBe(999);
    expect(fixture.server.batches.length).toBeLessThan(25);
  });

  test('one event alone', async () => {
    fixture.judge = refusing(400, 1);
    await append(1);
    start();
    await expect.poll(deadLetters).toEqual([{ id: 1, reason: 'HTTP 400' }]);
    await append(2);
    await expect.poll(() => fixture.accepted).toEqual([2]);
  });

  test.each([400, 403, 404])(
    '%d for everything: the server is at fault, and nothing is put aside',
    async (code) => {
      fixture.judge = () => status(code);
      await append(...range(0, 100));
      start();
      await expect.poll(() => told().length).toBeGreaterThan(3);
      expect(new Set(told())).toEqual(new Set([`HTTP ${code}`]));
      expect(await deadLetters()).toEqual([]);
      fixture.judge = () => accept;
      await expect.poll(() => [...fixture.accepted].sort((a, b) => a - b)).toEqual(range(0, 100));
      expect(await deadLetters()).toEqual([]);
    },
  );

  test('401 for the only event there is: tried until the token is right', async () => {
    fixture.judge = () => status(401);
    await append(1);
    start();
    await expect.poll(() => told().length).toBeGreaterThan(3);
    fixture.judge = () => accept;
    await expect.poll(() => fixture.accepted).toEqual([1]);
    expect(await deadLetters()).toEqual([]);
  });

  test('503 in the middle of it: only what is left is tried again', async () => {
    fixture.judge = refusing(400, 3);
    await append(...range(0, 8));
    fixture.server.behaviours.push(status(400), status(400), accept, status(503));
    start();
    await expect.poll(deadLetters).toEqual([{ id: 3, reason: 'HTTP 400' }]);
    await expect.poll(() => fixture.server.batches.flatMap(idsOf).includes(7)).toBe(true);
    await expect.poll(() => fixture.accepted.length).toBe(5); // 0 and 1 were accepted as told
    expect(told()).toContain('HTTP 503');
    const afterwards = fixture.server.batches.slice(4).flatMap(idsOf);
    expect(afterwards).not.toContain(0);
  });

  test('a time for retries that is over: put aside too', async () => {
    fixture.judge = () => status(503);
    await append(1, 2);
    start({ webhookRetryForMs: 50 });
    await expect.poll(told).toEqual(expect.arrayContaining(['given up', 'given up']));
    await expect
      .poll(deadLetters)
      .toEqual([1, 2].map((id) => ({ id, reason: 'given up: HTTP 503' })));
  });

  test('a process that is killed before it acknowledges: sent again, and put aside once', async () => {
    fixture.judge = refusing(400, 5);
    await append(...range(0, 12));
    const consumer = new JournalConsumer(fixture.folder, 'webhook');
    consumer.acknowledge = () => Promise.reject(new Error('the process was killed'));
    const killed = start({ consumer });
    // It goes on to be sent while it cannot be acknowledged.
    await expect.poll(() => fixture.accepted.length).toBeGreaterThan(22);
    await killed.close(0);
    fixture.accepted = [];
    start();
    await expect.poll(() => fixture.accepted.length).toBe(11);
    await append(12);
    await expect.poll(() => fixture.accepted.at(-1)).toBe(12);
    expect(await deadLetters()).toEqual([{ id: 5, reason: 'HTTP 400' }]);
  });

  test.each([
    ['refused', 400, 28_800_000, 'HTTP 400', [2]],
    ['given up', 503, 20, 'given up: HTTP 503', []],
  ])(
    'while nothing can be put aside, it is tried again: %s',
    async (why, code, webhookRetryForMs, reason, accepted) => {
      fixture.judge = refusing(code, 1);
      const folder = join(fixture.folder, 'full');
      await writeFile(folder, '');
      await append(1, 2);
      start({ deadLetters: new DeadLetters(folder), webhookRetryForMs });
      const failures = () =>
        fixture.log.lines.filter(({ message }) => message.startsWith('events could not be put'));
      // More often than a server is at fault that refuses everything.
      await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(30);
      expect(failures()[0]).toMatchObject({
        level: 'error',
        reason: expect.stringContaining(folder),
      });
      expect(told()).not.toContain(why);
      fixture.judge = refusing(code, 1, 2);
      await rm(folder);
      await expect.poll(told).toContain(why);
      const [letter] = (await readFile(join(folder, 'dead-letters.jsonl'), 'utf8')).split('\n');
      expect(JSON.parse(letter ?? '').dead_letter.reason).toBe(reason);
      fixture.judge = () => accept;
      await append(3);
      await expect.poll(() => fixture.accepted).toEqual([...accepted, 3]);
    },
  );
});

describe('batches are bounded in bytes', () => {
  test('as many events as fit, everything in order', async () => {
    for (const n of range(0, 40)) await fixture.journal.append([event(n, (n % 7) * 1000)]);
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => fixture.accepted.length).toBe(40);
    expect(fixture.accepted).toEqual(range(0, 40));
    for (const { body } of fixture.server.batches) expect(body.length).toBeLessThan(10_500);
  });

  test('a larger event goes alone', async () => {
    await fixture.journal.append([event(0), event(1, 50_000), event(2)]);
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => fixture.accepted).toEqual([0, 1, 2]);
    expect(fixture.server.batches.map(idsOf)).toEqual([[0], [1], [2]]);
  });

  test('413: smaller ones, also from then on', async () => {
    fixture.judge = ({ body }) => (body.length > 5_000 ? status(413) : accept);
    await fixture.journal.append(range(0, 200).map((n) => event(n, 400)));
    start({ webhookBatchBytes: 40_000, webhookIntervalMs: 5 });
    await expect.poll(() => fixture.accepted.length).toBe(200);
    expect(fixture.accepted).toEqual(range(0, 200));
    expect(await deadLetters()).toEqual([]);
    const refusals = fixture.server.batches.filter(({ body }) => body.length > 5_000);
    expect(refusals.length).toBeLessThan(fixture.server.batches.length / 2);
    expect(refusals.filter(({ body }) => body.length > 30_000)).toHaveLength(1);
  });

  test('after a restart in the middle it is the same batch', async () => {
    await fixture.journal.append(range(0, 30).map((n) => event(n, 1000)));
    fixture.judge = () => status(500);
    const first = start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(1);
    await first.close(1000);
    const [before] = fixture.server.batches.splice(0);
    fixture.judge = () => accept;
    start({ webhookBatchBytes: 10_000 });
    await expect.poll(() => fixture.accepted.length).toBe(30);
    const id = 'x-messagesystems-batch-id';
    expect(fixture.server.batches[0]?.body).toBe(before?.body);
    expect(fixture.server.batches[0]?.headers[id]).toBe(before?.headers[id]);
    expect(fixture.accepted).toEqual(range(0, 30));
  });
});

describe('dead letters', () => {
  test('are bounded: the oldest go', async () => {
    const letters = new DeadLetters(fixture.folder, 10_000);
    for (const n of range(0, 200)) await letters.add([event(n, 500)], 'HTTP 400');
    const files = (await readdir(fixture.folder)).filter((name) => name.startsWith('dead-letters'));
    const sizes = await Promise.all(
      files.map(async (name) => (await stat(join(fixture.folder, name))).size),
    );
    expect(Math.max(...sizes)).toBeLessThan(11_000);
    expect(files.length).toBeLessThanOrEqual(2);
  });

  test('lose those whose recipient is forgotten', async () => {
    const letters = new DeadLetters(fixture.folder, 500);
    let padding = 0;
    for (const n of [1, 2, 3, 1]) await letters.add([event(n, ++padding)], 'HTTP 400');
    expect(await forgetInJournal(fixture.folder, 'R1@x.example')).toBe(2);
    for (const name of await readdir(fixture.folder)) {
      expect(await readFile(join(fixture.folder, name), 'utf8')).not.toContain('r1@x.example');
    }
  });
});
