import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { WebhookOptions } from '../../src/click/webhook.ts';
import { forgetInJournal } from '../../src/store/local/erase.ts';
import { JournalConsumer } from '../../src/store/local/journal-consumer.ts';
import { LONGER_THAN_A_TEST } from '../helpers/poll.ts';
import {
  type Behaviour,
  garbage,
  halfAnswer,
  hang,
  type ReceivedBatch,
  reset,
  status,
} from '../helpers/webhook-server.ts';
import { idsOf, range, WebhookFixture } from './webhook-fixture.ts';

const fixture = new WebhookFixture();

/** What the log says, in short. */
const told = () =>
  fixture.log.lines.map(({ message, events, reason }) => {
    if (message === 'events delivered') return `delivered ${events}`;
    if (message.startsWith('events given up')) return `gave up ${events}`;
    if (message.startsWith('events left out')) return `left out ${events}`;
    return message === 'events not delivered yet' ? String(reason) : `failed ${reason}`;
  });

const event = (n: number) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;
const ids = (batch: ReceivedBatch | undefined) => batch && idsOf(batch);
const idOf = (batch: ReceivedBatch | undefined) => batch?.headers['x-messagesystems-batch-id'];
const append = (...numbers: number[]) => fixture.journal.append(numbers.map(event));

describe('a webhook', () => {
  test('gets an array of events, with the headers that Momentum sends', async () => {
    await append(1, 2, 3);
    fixture.start({ webhookToken: 'secret-token' });
    await expect.poll(() => fixture.server.batches.length).toBe(1);
    const [batch] = fixture.server.batches;
    expect(JSON.parse(batch?.body ?? '')).toEqual([1, 2, 3].map((n) => JSON.parse(event(n))));
    expect(batch?.headers['content-type']).toBe('application/json');
    expect(batch?.headers['x-messagesystems-webhook-token']).toBe('secret-token');
    expect(idOf(batch)).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect(batch?.headers['x-clickmilter-signature']).toBeUndefined();
    expect(batch?.headers).not.toHaveProperty('authorization');
  });

  test('can check who sent it', async () => {
    await append(1);
    fixture.start({
      webhookSecret: 'key',
      webhook: fixture.server.url.replace('//', '//user:pass%21@'),
    });
    await expect.poll(() => fixture.server.batches.length).toBe(1);
    const [batch] = fixture.server.batches;
    const header = String(batch?.headers['x-clickmilter-signature']);
    const [, time, mac] = /^t=(\d+),v1=([\da-f]{64})$/.exec(header) ?? [];
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(60);
    expect(mac).toBe(createHmac('sha256', 'key').update(`${time}.${batch?.body}`).digest('hex'));
    const authorization = `Basic ${Buffer.from('user:pass!').toString('base64')}`;
    expect(batch?.headers).toMatchObject({ authorization });
  });

  test('gets no more than a batch holds at a time, everything in order, nothing twice', async () => {
    await append(...range(0, 250));
    fixture.start({ webhookBatchSize: 100 });
    await expect.poll(() => fixture.server.batches.length).toBe(3);
    await append(...range(250, 260));
    await expect.poll(() => fixture.server.batches.length).toBe(4);
    expect(fixture.server.batches.map((batch) => batch.events.length)).toEqual([100, 100, 50, 10]);
    expect(fixture.server.batches.flatMap(ids)).toEqual(range(0, 260));
    expect(new Set(fixture.server.batches.map(idOf)).size).toBe(4);
  });

  test.each<[string, Behaviour[], string]>([
    ['500', [status(500)], 'HTTP 500'],
    ['429 with Retry-After: 0', [status(429, { 'retry-after': '0' })], 'HTTP 429'],
    [
      'a redirect, which is not followed',
      [status(307, { location: '/elsewhere' })],
      'HTTP 307 to another path: redirects are not followed, set webhook to the final URL',
    ],
    ['408', [status(408)], 'HTTP 408'],
    ['425', [status(425)], 'HTTP 425'],
    ['no answer', [hang], 'no answer within 1000 ms'],
    ['a reset connection', [reset], 'fetch failed: '],
    ['half an answer', [halfAnswer], 'fetch failed: '],
    ['something that is not HTTP', [garbage], 'fetch failed: '],
    ['all of it, one after the other', [status(500), hang, reset, garbage, halfAnswer], ''],
  ])('%s: the same batch again under the same id', async (_name, behaviours, reason) => {
    const failures = behaviours.length;
    fixture.server.behaviours.push(...behaviours);
    await append(1, 2);
    fixture.start();
    await expect.poll(() => fixture.server.batches.length).toBe(failures + 1);
    await append(3);
    await expect.poll(() => fixture.server.batches.length).toBe(failures + 2);
    // The server has a batch before its sender has the answer.
    await expect
      .poll(() => told().filter((one) => one.startsWith('delivered')))
      .toEqual(['delivered 2', 'delivered 1']);
    expect(told()[0]).toContain(reason);
    expect(fixture.server.batches.map(ids)).toEqual([...Array(failures + 1).fill([1, 2]), [3]]);
    expect(new Set(fixture.server.batches.map(idOf)).size).toBe(2);
  });

  test('nobody listens: tried until somebody does', async () => {
    const { url } = fixture.server;
    await fixture.server.close();
    await append(1);
    fixture.start({ webhook: url });
    await expect.poll(() => told().length).toBeGreaterThan(2);
    expect(told()[0]).toMatch(/^fetch failed: connect ECONNREFUSED/);
  });

  test.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2000).toUTCString()],
  ])('Retry-After is obeyed: %s', async (_name, value) => {
    await append(1);
    fixture.server.behaviours.push(status(503, { 'retry-after': value() }));
    const begin = Date.now();
    fixture.start();
    await expect.poll(() => fixture.server.batches.length).toBe(2);
    expect(Date.now() - begin).toBeGreaterThan(900);
  });

  test.each([
    ['taken', [], 'delivered 1'],
    ['given up', [status(429)], 'gave up 1'],
  ])(
    'a Retry-After beyond the time for retries: tried once more at its end, and %s',
    async (_name, then, outcome) => {
      fixture.server.behaviours.push(status(429, { 'retry-after': '3600' }), ...then);
      await append(1);
      fixture.start({ webhookRetryForMs: 300 });
      await expect.poll(told).toEqual(['HTTP 429', outcome]);
      expect(fixture.server.batches).toHaveLength(2);
    },
  );

  test.each<[string, Partial<WebhookOptions>, RegExp]>([
    ['a login that is not encoded', { webhook: 'http://user:100%@127.0.0.1/' }, /URI malformed/],
    ['a token that no header can hold', { webhookToken: 'a\nb' }, /invalid header value/],
  ])('%s is an attempt that failed, and given up in time', async (_name, options, reason) => {
    await append(1);
    fixture.start({ webhookRetryForMs: 60, ...options });
    await expect.poll(() => told().at(-1)).toBe('gave up 1');
    expect(told()[0]).toMatch(reason);
    expect(told().filter((one) => one.startsWith('failed'))).toEqual([]);
  });

  test.each([
    ['one of two', [2]],
    ['all', []],
  ])('who is forgotten between two attempts is not delivered any more: %s', async (_name, kept) => {
    const about = (n: number) =>
      `{"msys":{"track_event":{"event_id":"${n}","rcpt_to":"${kept.includes(n) ? 'b' : 'a'}@x.example"}}}`;
    fixture.server.behaviours.push(async (...answering) => {
      await forgetInJournal(fixture.folder, 'a@x.example');
      await status(500)(...answering);
    });
    await fixture.journal.append([about(1), about(2)]);
    fixture.start();
    await expect.poll(told).toContain(`left out ${2 - kept.length}`);
    await append(3);
    await expect.poll(() => fixture.server.batches.map(ids).at(-1)).toEqual([3]);
    expect(fixture.server.batches.slice(1, -1).map(ids)).toEqual(kept.length > 0 ? [kept] : []);
    if (kept.length > 0)
      expect(idOf(fixture.server.batches[1])).toBe(idOf(fixture.server.batches[0]));
  });

  test('what is left out is said once, though the journal cannot be read in between', async () => {
    const about = (name: string) => `{"msys":{"track_event":{"rcpt_to":"${name}@x.example"}}}`;
    fixture.server.behaviours.push(...Array(1000).fill(status(500)));
    const consumer = new JournalConsumer(fixture.folder, 'webhook');
    await fixture.journal.append([about('a'), about('b')]);
    fixture.start({ consumer });
    await expect.poll(told).toContain('HTTP 500');
    await forgetInJournal(fixture.folder, 'a@x.example');
    await expect.poll(told).toContain('left out 1');
    vi.spyOn(consumer, 'unacknowledged').mockRejectedValueOnce(new Error('EIO'));
    await expect.poll(told).toContain('EIO');
    const { length } = fixture.server.batches;
    await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(length + 1);
    expect(told().filter((one) => one.startsWith('left out'))).toEqual(['left out 1']);
  });

  test('after the time for retries a batch is given up, said so, and the next one gets its chance', async () => {
    fixture.server.behaviours.push(...Array(1000).fill(status(500)));
    await append(1, 2);
    fixture.start({ webhookRetryForMs: 60 });
    await expect.poll(() => told().includes('gave up 2')).toBe(true);
    fixture.server.behaviours.length = 0;
    await append(3);
    await expect.poll(() => told().includes('delivered 1')).toBe(true);
    expect(ids(fixture.server.batches.at(-1))).toEqual([3]);
  });

  test('a clock that is set forward ends no retries, one that is set back no collecting', async () => {
    fixture.server.behaviours.push(...Array(1000).fill(status(500)));
    await append(1);
    fixture.start({ webhookIntervalMs: 500 });
    await expect.poll(() => told().length).toBeGreaterThan(0);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 9 * 3_600_000 });
    await sleep(100);
    fixture.server.behaviours.length = 0;
    await expect.poll(() => told().includes('delivered 1')).toBe(true);
    expect(told()).not.toContain('gave up 1');
    await append(2);
    await sleep(300);
    vi.setSystemTime(Date.now() - 9 * 3_600_000);
    await expect.poll(() => fixture.server.batches.map(ids).at(-1)).toEqual([2]);
  });

  test('after a restart in the middle of a batch it is the same batch, and the rest follows', async () => {
    fixture.server.behaviours.push(...Array(1000).fill(status(500)));
    await append(1, 2, 3);
    const first = fixture.start();
    await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(1);
    await first.close(1000);
    const id = idOf(fixture.server.batches[0]);
    fixture.server.behaviours.length = 0;
    await append(4, 5);
    fixture.server.batches.length = 0;
    fixture.start();
    await expect.poll(() => fixture.server.batches.length).toBe(2);
    expect(fixture.server.batches.map(ids)).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    expect(idOf(fixture.server.batches[0])).toBe(id);
  });

  test('after a restart it is the same batch too where several wrote at once', async () => {
    const other = fixture.openJournal();
    fixture.server.behaviours.push(...Array(1000).fill(status(500)));
    const first = fixture.start({ webhookIntervalMs: 1500 });
    await append(...range(1, 12));
    await sleep(300);
    await other.append([event(100)]);
    await sleep(300);
    await append(12);
    await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(0);
    await first.close(1000);
    const before = fixture.server.batches[0];
    fixture.server.batches.length = 0;
    fixture.start();
    await expect.poll(() => fixture.server.batches.length).toBeGreaterThan(0);
    expect(ids(before)).toEqual([...range(1, 13), 100]);
    expect(fixture.server.batches[0]?.body).toBe(before?.body);
    expect(idOf(fixture.server.batches[0])).toBe(idOf(before));
    await other.close();
  });

  test('what was delivered is not delivered again after a restart', async () => {
    await append(1);
    const first = fixture.start();
    await expect.poll(told).toEqual(['delivered 1']);
    await first.close(1000);
    await append(2);
    fixture.start();
    await expect.poll(told).toEqual(['delivered 1', 'delivered 1']);
    expect(fixture.server.batches.map(ids)).toEqual([[1], [2]]);
  });

  test('stopping does not wait for a server that hangs', async () => {
    fixture.server.behaviours.push(hang);
    await append(1);
    const webhook = fixture.start({ webhookTimeoutMs: LONGER_THAN_A_TEST });
    await expect.poll(() => fixture.server.batches.length).toBe(1);
    await webhook.close(50);
  });
});
