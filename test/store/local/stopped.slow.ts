import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { Webhook } from '../../../src/click/webhook.ts';
import { readIfAny } from '../../../src/lib/files.ts';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { numberOf } from '../../../src/lib/number-set.ts';
import { listSums, readFirsts, readHead } from '../../../src/store/local/count-sums.ts';
import { DeadLetters } from '../../../src/store/local/dead-letters.ts';
import { JournalConsumer } from '../../../src/store/local/journal-consumer.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import { sumUpCounts } from '../../../src/store/local/sum-up.ts';
import { listFirsts, SummedFirsts } from '../../../src/store/local/summed-firsts.ts';
import { unlinkCounts } from '../../../src/store/local/unlink-counts.ts';
import type { Settlement } from '../../../src/store/settlement.ts';
import type { Store } from '../../../src/store/store.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { poll } from '../../helpers/poll.ts';
import { startSettlement } from '../../helpers/settle.ts';
import { accept, startWebhookServer, status } from '../../helpers/webhook-server.ts';

/** Decides on each step of a process in files: it waits until the process goes on. */
const first = await vi.hoisted(async () => {
  const { AsyncLocalStorage } = await import('node:async_hooks');
  const calls = new AsyncLocalStorage<() => Promise<void>>();
  return {
    run: <T>(step: () => Promise<void>, start: () => T) => calls.run(step, start),
    step: async () => calls.getStore()?.(),
  };
});

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const isHandle = (value: unknown): value is object => Object(value).fd !== undefined;
  const slow = <T extends object>(of: T): T =>
    new Proxy(of, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          await first.step();
          const result: unknown = await value.apply(target, args);
          return isHandle(result) ? slow(result) : result;
        };
      },
    });
  const functions = Object.entries(real).filter(([, value]) => typeof value === 'function');
  const all = slow(Object.fromEntries(functions));
  return { ...real, ...Object.fromEntries(functions.map(([name]) => [name, all[name]])) };
});

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const eventsOf = (portion: string) =>
  Array.from({ length: 30 }, (_, n) => {
    // Of two days, so that there are two files.
    const time = Date.parse(n % 3 ? '2026-11-23' : '2026-11-24') / 1000;
    const event = { event_id: `${portion}${n}`, timestamp: `${time}`, is_automatic: n % 5 === 0 };
    const link = { message_id: `m${n % 7}`, target_link_name: `Link ${n % 11}`, part: 'html' };
    return JSON.stringify({ msys: { track_event: { ...event, ...link } } });
  });

/** The lease of a process that is stopped ends, and so does a lock that it holds. */
function expire(lease: string): void {
  writeFileSync(lease, JSON.stringify({ holder: 'first', until: Date.now() - 1 }));
  writeFileSync(`${lease}.lock`, '');
  utimesSync(`${lease}.lock`, 0, 0);
}

function open(folder: string): Store {
  const events = { ...eventsDefaults, journal: folder, automaticWithinMs: 0 };
  const store = createLocalStore({ events }, silent, noMetrics);
  closers.push(() => store.close());
  return store;
}

function settle(store: Store, counted?: () => void): Settlement {
  const settlement = startSettlement(store, counted);
  closers.push(() => settlement.close());
  return settlement;
}

async function untilCounted({ counters }: Store, clicks: number): Promise<void> {
  await poll(`${clicks} clicks`, async () => {
    const { total } = await counters.report({ by: 'day', since: '2026-11-01' });
    if (total.clicks > clicks) throw new Error(`${total.clicks} clicks, ${clicks} expected`);
    return total.clicks === clicks;
  });
}

/**
 * Runs work that is stopped at a step, until `goOn`. Settles when it is stopped, or has ended.
 * @param last the number of steps before that
 */
async function runUntil(last: number, work: (ended: () => void) => void) {
  let isStopped = false;
  let goOn = () => {};
  const goesOn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let steps = 0;
  await new Promise<void>((resolve) => {
    const step = async () => {
      if (steps++ < last) return;
      isStopped = true;
      resolve();
      await goesOn;
    };
    first.run(step, () => work(resolve));
  });
  return { isStopped, goOn };
}

test('a process that is stopped at any step, and goes on after others, changes nothing', async () => {
  for (let last = 0, isStopped = true; isStopped; last++) {
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-stopped-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const stopped = open(folder);
    const appender = await stopped.events.openAppender();
    closers.push(() => appender.close());
    await appender.append(eventsOf('first'));
    let settlement: Settlement | undefined;
    const run = await runUntil(last, (ended) => {
      settlement = settle(stopped, ended);
    });
    expire(join(folder, 'counters.lease.json'));
    const heir = open(folder);
    const taking = settle(heir);
    await untilCounted(heir, 30);
    await appender.append(eventsOf('later'));
    await untilCounted(heir, 60);
    run.goOn();
    isStopped = run.isStopped;
    await settlement?.close();
    await untilCounted(heir, 60);
    await taking.close();
    settle(open(folder));
    await appender.append(eventsOf('last'));
    await untilCounted(heir, 90);
    for (const close of closers.splice(0).reverse()) await close();
  }
}, 120_000);

test('one that sums up, and is stopped at any step, writes no sums of whom others forgot', async () => {
  const gone = 'GoneGoneGoneGone';
  const line = (day: number) => `["click2","0${day}","${gone}","","","",[],"html",1,"Shop",1,0]\n`;
  for (let last = 0, isStopped = true; isStopped; last++) {
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-stopped-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    for (const day of [1, 2]) {
      writeFileSync(join(folder, `counts-2026-11-0${day}.host-clicks.1.jsonl`), line(day));
    }
    let summedUp = Promise.resolve();
    const run = await runUntil(last, (ended) => {
      summedUp = sumUpCounts({ folder, logger: silent, rest: 0 });
      summedUp.finally(ended).catch(() => {});
    });
    expire(join(folder, 'counts.lease.json'));
    await unlinkCounts(folder, new Set([gone]));
    run.goOn();
    isStopped = run.isStopped;
    await summedUp.catch(() => {});
    for (const file of await listSums(folder)) {
      expect([...readFirsts(readHead(file))]).not.toContain(numberOf(gone));
    }
    for (const path of await listFirsts(folder)) {
      expect(new SummedFirsts(path).has(numberOf(gone))).toBe(false);
    }
    for (const close of closers.splice(0).reverse()) await close();
  }
});

test('a webhook is killed at any step: all is delivered under its id, the refused put aside once', async () => {
  const event = (n: number) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;
  for (let last = 0, isKilled = true; isKilled; last++) {
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-killed-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const accepted = new Set<string>();
    const server = await startWebhookServer([], ({ events }) => {
      const ids = events.map(({ msys }) => msys.track_event.event_id);
      if (ids.includes('2')) return status(400);
      for (const id of ids) accepted.add(id);
      return accept;
    });
    closers.push(() => server.close());
    const appender = await open(folder).events.openAppender();
    closers.push(() => appender.close());
    await appender.append([1, 2, 3, 4].map(event));
    const start = (consumer: JournalConsumer) => {
      const webhook = new Webhook({
        ...eventsDefaults,
        consumer,
        deadLetters: new DeadLetters(folder),
        webhook: server.url,
        webhookIntervalMs: 5,
        backoffMs: 5,
      });
      webhook.start();
      return webhook;
    };
    isKilled = false;
    let steps = 0;
    await new Promise<void>((resolve) => {
      const step = () => {
        if (steps++ < last) return Promise.resolve();
        isKilled = true;
        resolve();
        return new Promise<void>(() => {});
      };
      const consumer = new JournalConsumer(folder, 'webhook');
      const acknowledge = consumer.acknowledge.bind(consumer);
      first.run(step, () => {
        const webhook = start(consumer);
        consumer.acknowledge = async (events) => {
          await acknowledge(events);
          webhook.close(0).then(resolve, resolve);
        };
      });
    });
    const heir = start(new JournalConsumer(folder, 'webhook'));
    closers.push(() => heir.close(0));
    await appender.append([event(5)]);
    const deadLetters = () => readIfAny(join(folder, 'dead-letters.jsonl'));
    await poll('the events', () => accepted.size === 4 && deadLetters().endsWith('}\n'));
    await heir.close(60_000);
    expect(deadLetters().match(/"event_id":"\d"/g)).toEqual(['"event_id":"2"']);
    const ids = new Map(
      server.batches.map(({ body, headers }) => [body, headers['x-messagesystems-batch-id']]),
    );
    for (const { body, headers } of server.batches) {
      expect(headers['x-messagesystems-batch-id']).toMatch(/^[\da-f-]{36}$/);
      expect(headers['x-messagesystems-batch-id']).toBe(ids.get(body));
    }
    for (const close of closers.splice(0).reverse()) await close();
  }
}, 120_000);
