import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import { Settlement } from '../../../src/store/settlement.ts';
import type { Store } from '../../../src/store/store.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';

let folder: string;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-settlement-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

const EVENTS = Array.from({ length: 30 }, (_, n) => {
  // Of two days, so that there are two files.
  const time = Date.parse(n % 3 ? '2026-11-23' : '2026-11-24') / 1000;
  const event = { event_id: `${n}`, timestamp: `${time}`, is_automatic: n % 5 === 0 };
  const link = { message_id: `m${n % 7}`, target_link_name: `Link ${n % 11}`, part: 'html' };
  return JSON.stringify({ msys: { track_event: { ...event, ...link } } });
});

function open(): Store {
  const events = { ...eventsDefaults, journal: folder, automaticWithinMs: 0 };
  const store = createLocalStore({ events }, silent, noMetrics);
  closers.push(() => store.close());
  return store;
}

function settle(
  events: Pick<Store['events'], 'lease' | 'openConsumer'>,
  counters: Pick<Store['counters'], 'book' | 'portion' | 'count'>,
): Settlement {
  const options = { events, counters, automaticWithinMs: 0, logger: silent, metrics: noMetrics };
  const settlement = new Settlement({ ...options, intervalMs: 5 });
  settlement.start();
  closers.push(() => settlement.close());
  return settlement;
}

const boom = () => {
  throw new Error('the process has ended');
};

/** Where a process ends: before and after each step, and within the one that writes. */
const ENDS = [
  'acknowledge',
  'keep',
  'begin',
  'half',
  'most',
  'count',
  'forget',
  'nowhere',
] as const;

test.each(ENDS)('a process that ends (%s) loses no click, and counts none twice', async (end) => {
  const { events, counters } = open();
  const appender = await events.openAppender();
  closers.push(() => appender.close());
  await appender.append(EVENTS);
  await new Promise<void>((resolve) => {
    let hasEnded = false;
    const at = (step: (typeof ENDS)[number]) => {
      hasEnded ||= step === end;
      if (!hasEnded) return;
      resolve();
      boom();
    };
    const consumer = events.openConsumer({ group: 'counters', name: 'counters' });
    const ending = {
      ...{ backlog: boom, close: () => consumer.close() },
      note: () => consumer.note(),
      next: consumer.next.bind(consumer),
      unacknowledged: consumer.unacknowledged.bind(consumer),
      acknowledge: boom,
      async keep(...of: Parameters<typeof consumer.keep>) {
        at(of[0].length > 0 ? 'acknowledge' : 'count');
        const id = await consumer.keep(...of);
        at(of[0].length > 0 ? 'keep' : 'forget');
        if (of[0].length === 0) resolve();
        return id;
      },
    };
    settle(
      // Its lease ends with it.
      {
        lease: () => ({
          hold: async () => true,
          isHeld: async () => true,
          release: async () => {},
        }),
        openConsumer: () => ending,
      },
      {
        book: (...click) => counters.book(...click),
        portion: () => counters.portion(),
        async count(portion, id) {
          if (hasEnded) boom();
          const additions = JSON.parse(portion) as { file: string; text: string }[];
          expect(additions).toHaveLength(2);
          for (const [share, step] of [
            [0, 'begin'],
            [0.5, 'half'],
            [0.99, 'most'],
          ] as const) {
            if (step !== end) continue;
            const { file, text } = additions[share > 0.5 ? 1 : 0] ?? { file: '', text: '' };
            if (share > 0.5) await counters.count(JSON.stringify(additions.slice(0, 1)), id);
            appendFileSync(join(folder, file), text.slice(0, text.length * share));
            at(step);
          }
          await counters.count(portion, id);
        },
      },
    );
  });
  const heir = open();
  settle(heir.events, heir.counters);
  const again = await heir.events.openAppender();
  closers.push(() => again.close());
  const last = { event_id: 'last', timestamp: '1795000000', is_automatic: false, part: 'text' };
  const link = { message_id: 'm0', target_link_name: 'Last' };
  await again.append([JSON.stringify({ msys: { track_event: { ...last, ...link } } })]);
  const totals = async () => (await heir.counters.report({ by: 'day', since: '2026-11-01' })).total;
  await expect.poll(async () => (await totals()).clicks).toBeGreaterThan(30);
  expect(await totals()).toMatchObject({
    ...{ clicks: 31, rawClicks: 31, uniqueClicks: 7, automaticClicks: 6, peopleClicks: 25 },
  });
  expect((await heir.counters.report({ by: 'day' })).unreadable).toBe(0);
});

test('a lease that others may have had meanwhile is lost, and can be taken again', async () => {
  const { events } = open();
  const [first, second] = [events.lease('test'), events.lease('test')];
  expect(await first.hold()).toBe(true);
  const ended = JSON.stringify({ holder: 'first', until: Date.now() - 1 });
  writeFileSync(join(folder, 'test.lease.json'), ended);
  expect([await second.hold(), await first.isHeld()]).toEqual([true, false]);
  await second.release();
  expect([await first.hold(), await first.isHeld()]).toEqual([false, false]);
  expect([await first.hold(), await first.isHeld()]).toEqual([true, true]);
});

test('a clock that is set back takes no lease away from its holder', async () => {
  const lease = open().events.lease('test');
  expect(await lease.hold()).toBe(true);
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 60_000);
  expect([await lease.hold(), await lease.isHeld()]).toEqual([true, true]);
});
