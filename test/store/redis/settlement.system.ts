import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silent } from '../../../src/lib/logger.ts';
import { RedisConnection } from '../../../src/store/redis/connection.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import type { Settlement } from '../../../src/store/settlement.ts';
import { poll } from '../../helpers/poll.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { startSettlement } from '../../helpers/settle.ts';
import { type OpenOptions, openStore } from './open-store.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

const TIME = Math.floor(Date.now() / 1000) - 3600;
/** Clicks on some messages, with rows for several commands, and some clicks in one row. */
const eventsOf = (portion: string) =>
  Array.from({ length: 150 }, (_, n) => eventOf(`${portion}${n}`, n));

function eventOf(id: string, n: number): string {
  const event = { event_id: id, timestamp: `${TIME}`, is_automatic: n % 5 === 0 };
  const message = { message_id: `m${n % 40}`, campaign_id: 'spring', rcpt_tags: ['vip'] };
  const link = { target_link_name: `Link ${n % 120}`, part: 'html' };
  return JSON.stringify({ msys: { track_event: { ...event, ...message, ...link } } });
}

const BREAKDOWNS = ['day', 'position'] as const;

/** A busy machine is not an outage. */
const PATIENT = { commandTimeoutMs: 30_000 };

interface Shape {
  readonly options: OpenOptions & { readonly url: string };
  nodeOf(key: string): Promise<Redis>;
}

const shapes: Readonly<Record<string, () => Promise<Shape>>> = {
  'one server': async () => {
    const redis = await startRedis();
    closers.push(() => redis.stop());
    return { options: { url: redis.url, ...PATIENT }, nodeOf: async () => redis };
  },
  'a Cluster': async () => {
    const cluster = await startCluster();
    closers.push(() => cluster.stop());
    const options = { url: 'redis://unused', nodes: cluster.addresses, ...PATIENT };
    return { options, nodeOf: (key) => cluster.nodeOf(key) };
  },
};

/** Says which process calls. */
const process = new AsyncLocalStorage<string>();

/** What becomes of a command of a process: it is sent, or not, and the process ends or goes on. */
type Fate = (send: () => Promise<unknown>, number: number) => Promise<unknown>;

/** Decides on each command of a process, from now on. */
function decide(name: string, fate: Fate): void {
  const { run } = RedisConnection.prototype;
  let commands = 0;
  vi.spyOn(RedisConnection.prototype, 'run').mockImplementation(function (
    this: RedisConnection,
    ...command: Parameters<typeof run>
  ) {
    const send = () => run.apply(this, command);
    return process.getStore() === name ? fate(send, commands++) : send();
  } as typeof run);
}

/** @param counted called when a portion was counted, or cannot be; absent: it goes on after that */
function settle(name: string, store: RedisStore, counted?: () => void): Settlement {
  return process.run(name, () => {
    const logger = { ...silent, error: () => counted?.() };
    const settlement = startSettlement(store, counted, logger);
    closers.push(() => settlement.close());
    return settlement;
  });
}

async function untilAllIsCounted({ events }: RedisStore): Promise<void> {
  const consumer = events.openConsumer({ group: 'counters', name: 'counters' });
  await poll('everything to be counted', async () => {
    // Redis does not tell before the group is there.
    const backlog = await consumer.backlog().catch(() => undefined);
    return backlog?.events === 0 && (await consumer.note()).text === '';
  });
  await consumer.close();
}

const reportsOf = ({ counters }: RedisStore) =>
  Promise.all(BREAKDOWNS.map((by) => counters.report({ by, campaign: 'spring' })));

/** What is counted of so many portions: the same links of the same messages. */
const totalOf = (portions: number) => ({
  ...{ clicks: 150 * portions, rawClicks: 120, uniqueClicks: 40 },
  ...{ peopleClicks: 120 * portions, automaticClicks: 30 * portions, peopleUniqueClicks: 32 },
});

/** At which commands of a run a process ends: in a Cluster there are many that are alike. */
const STEPS: Readonly<Record<string, number>> = { 'one server': 1, 'a Cluster': 11 };

describe.each(Object.keys(shapes))('with %s', (shape) => {
  const openTwo = async () => {
    const { options, nodeOf } = await (shapes[shape] as () => Promise<Shape>)();
    return async (keyPrefix: string) => {
      const stores = [1, 2].map(() => openStore({ ...options, keyPrefix }));
      closers.push(...stores.map((store) => () => store.close()));
      const [first, heir] = stores as [RedisStore, RedisStore];
      await first.events.stream.append(eventsOf('first'));
      const lease = `${keyPrefix}lease:counters`;
      const endLease = async () => (await nodeOf(lease)).cli('del', lease);
      return { first, heir, endLease };
    };
  };
  const closeAll = async () => {
    vi.restoreAllMocks();
    for (const close of closers.splice(1).reverse()) await close();
  };

  test('a process that ends at any command loses no click, and counts none twice', async () => {
    const open = await openTwo();
    let expected: unknown;
    for (const isSent of [false, true]) {
      for (let last = 0, hasEnded = true; hasEnded; last += STEPS[shape] ?? 1) {
        const { first, heir, endLease } = await open(`${isSent ? 'sent' : 'unsent'}${last}:`);
        hasEnded = false;
        decide('first', async (send, number) => {
          if (number < last) return send();
          hasEnded = true;
          if (number === last && isSent) await send();
          throw new Error('the process has ended');
        });
        await new Promise<void>((resolve) => settle('first', first, resolve));
        vi.restoreAllMocks();
        await endLease();
        settle('heir', heir);
        await untilAllIsCounted(heir);
        const reports = await reportsOf(heir);
        expected ??= reports;
        expect(reports, `command ${last}, ${isSent}`).toEqual(expected);
        expect(reports[0]?.total).toMatchObject(totalOf(1));
        await closeAll();
      }
    }
  }, 120_000);

  test('an event that comes again after a restart is not counted again', async () => {
    const { first, heir } = await (await openTwo())('again:');
    const settlement = settle('first', first);
    await untilAllIsCounted(first);
    await settlement.close();
    // As from a journal whose place was not saved before the process was killed.
    await heir.events.stream.append([...eventsOf('first'), ...eventsOf('later')]);
    settle('heir', heir);
    await untilAllIsCounted(heir);
    expect((await reportsOf(heir))[0]?.total).toMatchObject(totalOf(2));
  }, 60_000);

  test('a process that is stopped at any command, and goes on after others, changes nothing', async () => {
    const open = await openTwo();
    let expected: unknown;
    for (let last = 0, isStopped = true; isStopped; last += STEPS[shape] ?? 1) {
      const { first, heir, endLease } = await open(`stopped${last}:`);
      isStopped = false;
      let goOn = () => {};
      const goesOn = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let settlement: Settlement | undefined;
      await new Promise<void>((resolve) => {
        decide('first', async (send, number) => {
          if (number < last) return send();
          isStopped = true;
          resolve();
          await goesOn;
          return send();
        });
        settlement = settle('first', first, resolve);
      });
      await endLease();
      settle('heir', heir);
      await untilAllIsCounted(heir);
      await heir.events.stream.append(eventsOf('later'));
      await untilAllIsCounted(heir);
      goOn();
      await settlement?.close();
      await untilAllIsCounted(heir);
      const reports = await reportsOf(heir);
      expected ??= reports;
      expect(reports, `command ${last}`).toEqual(expected);
      expect(reports[0]?.total).toMatchObject(totalOf(2));
      await closeAll();
    }
  }, 120_000);
});

test('a value that never ends, or is of another type, in the place of a lease is not a holder', async () => {
  const redis = await startRedis();
  closers.push(() => redis.stop());
  const store = openStore({ url: redis.url });
  closers.push(() => store.close());
  const lease = store.events.lease('test');
  const other = store.events.lease('test');
  for (const command of [
    ['set', 'KEY', 'somebody'],
    ['set', 'KEY', 'somebody', 'EX', '86400'],
    ['rpush', 'KEY', 'somebody'],
  ]) {
    await redis.cli(...command.map((word) => (word === 'KEY' ? 'clickmilter:lease:test' : word)));
    expect([await lease.hold(), await other.hold()], command.join(' ')).toEqual([true, false]);
    await lease.release();
  }
});
