import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Click } from '../../src/click/click.ts';
import { ClickRecorder } from '../../src/click/click-recorder.ts';
import { silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import type { MessageFacts } from '../../src/link/message-facts.ts';
import type { ClickClass, CountedClick } from '../../src/store/counters.ts';
import type { Events } from '../../src/store/events.ts';
import { createLocalStore } from '../../src/store/local/store.ts';
import { Settlement } from '../../src/store/settlement.ts';
import type { Store } from '../../src/store/store.ts';
import { exampleClick } from '../click/example-click.ts';
import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { recordedMetrics } from '../helpers/recorded.ts';

/** Longer than the clicks of a test take, and short enough to wait for. */
const WITHIN_MS = 400;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Booked = readonly [click: CountedClick, by: ClickClass, waited: number];

const stores: Readonly<Record<string, () => Store>> = {
  'a store in memory': createMemoryStore,
  'a store in files'() {
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-settlement-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const events = { ...eventsDefaults, journal: folder, automaticWithinMs: WITHIN_MS };
    return createLocalStore({ events }, silent, noMetrics);
  },
};

describe.each(Object.keys(stores))('%s', (name) => {
  const setUp = async (withinMs = WITHIN_MS, portion = async () => '') => {
    const store = (stores[name] as () => Store)();
    const appender = await store.events.openAppender();
    const recorder = new ClickRecorder({ ...eventsDefaults, events: appender });
    closers.push(
      () => store.close(),
      () => appender.close(),
      () => recorder.close(),
    );
    const booked: Booked[] = [];
    const { metrics, counts } = recordedMetrics();
    const begun = performance.now();
    const counters = {
      book: (click: CountedClick, by: ClickClass) =>
        void booked.push([click, by, performance.now() - begun]),
      portion,
      count: async () => {},
    };
    const settle = (
      automaticWithinMs = withinMs,
      events: Pick<Events, 'lease' | 'openConsumer'> = store.events,
    ) => {
      const options = { events, counters, automaticWithinMs, logger: silent, metrics };
      const settlement = new Settlement({ ...options, intervalMs: 10 });
      settlement.start();
      closers.push(() => settlement.close());
      return settlement;
    };
    const record = (click: Partial<Click>, facts?: Partial<MessageFacts>) =>
      recorder.record(exampleClick(click, facts));
    const classes = () => booked.map(([, by]) => by);
    /** How many events were read and not booked yet. */
    const readOnly = async () => {
      const consumer = store.events.openConsumer({ group: 'counters', name: 'test' });
      const events = await consumer.unacknowledged(100);
      await consumer.close();
      return events.length;
    };
    return { appender, booked, counts, events: store.events, readOnly, classes, record, settle };
  };

  test('clicks are booked when their window has passed, with the class they have then', async () => {
    const { booked, classes, counts, record, settle } = await setUp();
    for (const token of ['a', 'b', 'c', 'd', 'e']) await record({ token, ip: '198.51.100.1' });
    await record({ ip: '203.0.113.5' });
    await record({ ip: '203.0.113.6', userAgent: 'curl/8.5.0' });
    settle();
    await expect.poll(() => booked.length).toBe(7);
    expect(classes()).toEqual([...Array(5).fill('automatic'), 'people', 'automatic']);
    await expect
      .poll(() => counts.filter((count) => count === 'clicks_total kept true'))
      .toHaveLength(6);
    expect(counts.filter((count) => count === 'campaign_clicks_total spring false')).toEqual([
      'campaign_clicks_total spring false',
    ]);
    expect(Math.min(...booked.map(([, , waited]) => waited))).toBeGreaterThanOrEqual(WITHIN_MS);
  });

  test('with everything that counters break down by', async () => {
    const { booked, record, settle } = await setUp(0);
    settle();
    const recipients = ['a@Example.ORG', 'b@example.org'];
    const resolved = { ...exampleClick().resolved, position: 3 };
    const message = { ...resolved.message, recipients };
    await record({ resolved: { ...resolved, message } });
    await record({ resolved: { ...resolved, link: { ...resolved.link, name: 'Offer' } } });
    await expect.poll(() => booked.length).toBe(2);
    const facts = {
      time: Math.floor(exampleClick().time / 1000) * 1000,
      messageId: 'Zm9vYmFyYmF6cXV4',
      campaign: 'spring',
      pathway: 'newsletters',
      recipientDomain: 'example.org',
      tags: ['a', 'b'],
      position: 3,
      part: 'html',
      count: 1,
    };
    expect(booked.map(([click]) => click)).toEqual([
      { ...facts, link: 'https://example.org/offer?id=1' },
      { ...facts, link: 'Offer' },
    ]);
  });

  test('what a process read and did not book, the next one books', async () => {
    const { booked, classes, readOnly, record, settle } = await setUp();
    const first = settle(60_000);
    for (const token of ['a', 'b', 'c']) await record({ token, ip: '198.51.100.1' });
    await expect.poll(readOnly).toBe(3);
    await first.close();
    expect(booked).toEqual([]);
    for (const token of ['d', 'e']) await record({ token, ip: '198.51.100.1' });
    settle();
    await expect.poll(() => booked.length).toBe(5);
    expect(classes()).toEqual(Array(5).fill('automatic'));
    const second = settle();
    await second.close();
    expect(booked).toHaveLength(5);
  });

  test('events whose answer was lost are read again, and booked once', async () => {
    const { booked, events, record, settle } = await setUp(0);
    let lost = 0;
    settle(0, {
      lease: (name) => events.lease(name),
      openConsumer(...of) {
        const consumer = events.openConsumer(...of);
        const next = consumer.next.bind(consumer);
        consumer.next = async (...args) => {
          const found = await next(...args);
          if (found.length > 0 && ++lost % 2 === 1) throw new Error('no answer');
          return found;
        };
        return consumer;
      },
    });
    for (let n = 1; n <= 6; n++) {
      await record({ ip: `203.0.113.${n}` });
      await expect.poll(() => booked.length).toBe(n);
    }
    expect(lost).toBeGreaterThan(2);
  });

  test('what comes while others are counted is read before more is booked', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    closers.push(async () => void vi.useRealTimers());
    let goOn = () => {};
    const counting = new Promise<string>((resolve) => {
      goOn = () => resolve('');
    });
    const portion = vi.fn(() => counting);
    const { booked, classes, readOnly, record, settle } = await setUp(WITHIN_MS, portion);
    settle();
    await record({ ip: '203.0.113.5' });
    await expect.poll(readOnly).toBe(1);
    vi.advanceTimersByTime(WITHIN_MS / 4);
    for (const token of ['a', 'b', 'c', 'd']) await record({ token, ip: '198.51.100.1' });
    await expect.poll(readOnly).toBe(5);
    vi.advanceTimersByTime((WITHIN_MS * 3) / 4);
    await expect.poll(() => portion.mock.calls.length).toBe(1);
    await record({ token: 'e', ip: '198.51.100.1' });
    vi.advanceTimersByTime(WITHIN_MS);
    goOn();
    await expect.poll(() => booked.length).toBe(5);
    expect(classes()).toEqual(['people', ...Array(4).fill('automatic')]);
  });

  test('of several processes one books', async () => {
    const { booked, record, settle } = await setUp(0);
    settle();
    settle();
    for (let n = 0; n < 20; n++) await record({ ip: `203.0.113.${n}` });
    await expect.poll(() => booked.length).toBe(20);
    await record({ ip: '203.0.113.77' });
    await expect.poll(() => booked.length).toBe(21);
  });

  test('many clicks are booked a few at a time, and readers are answered in between', async () => {
    const { appender, booked, settle } = await setUp(0);
    const event = { is_automatic: false, message_id: 'x', target_link_url: 'http://x/' };
    const lines = Array.from({ length: 1_000 }, (_, n) => {
      const fields = { ...event, event_id: String(n), part: 'html', timestamp: '1' };
      return JSON.stringify({ msys: { track_event: fields } });
    });
    await appender.append(lines);
    const inTurns: number[] = [];
    const turn = () => {
      inTurns.push(booked.length);
      if (booked.length < lines.length) setImmediate(turn);
    };
    turn();
    settle();
    await expect.poll(() => booked.length).toBe(lines.length);
    const most = Math.max(...inTurns.map((count, turn) => count - (inTurns[turn - 1] ?? 0)));
    expect(most).toBeLessThan(lines.length / 2);
  });

  test('an event that comes again, and events of earlier releases, are not booked', async () => {
    const { appender, booked, record, settle } = await setUp(0);
    const old = { message_id: 'x', target_link_url: 'http://x/', part: 'html', timestamp: '1' };
    const line = (fields: object) => JSON.stringify({ msys: { track_event: fields } });
    const now = { ...old, is_automatic: true, event_id: '1' };
    await appender.append([line(old), line(now), line(now), line({ ...now, part: 'x' })]);
    await appender.append([line({ ...now, event_id: '2', reclassifies: [{ toString: 1 }, '1'] })]);
    await record({});
    settle();
    await expect.poll(() => booked.length).toBe(3);
  });

  test('numbers and times that no click has spoil no sums', async () => {
    const { appender, booked, record, settle } = await setUp(0);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const fields = { message_id: 'x', target_link_url: 'http://x/', part: 'html', timestamp };
    const odd = [
      { repeat_count: Number.MAX_SAFE_INTEGER },
      { repeat_count: '999999999999999' },
      { repeat_count: -1 },
      { repeat_count: 1.5 },
      { repeat_count: 20_000 },
      { timestamp: '999999999999' },
      { timestamp: '253402300799' },
    ];
    const lines = odd.map((own, n) =>
      JSON.stringify({
        msys: { track_event: { ...fields, is_automatic: true, event_id: `${n}`, ...own } },
      }),
    );
    await appender.append(lines);
    await record({});
    settle();
    await expect.poll(() => booked.length).toBe(7);
    expect(booked.map(([{ count }]) => count)).toEqual([1, 1, 1, 1, 20_000, 1, 1]);
  });
});
