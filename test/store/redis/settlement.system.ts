import { afterEach, describe, expect, test, vi } from 'vitest';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { RedisConnection } from '../../../src/store/redis/connection.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { Settlement } from '../../../src/store/settlement.ts';
import { poll } from '../../helpers/poll.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { type OpenOptions, openStore } from './open-store.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

const TIME = Math.floor(Date.now() / 1000) - 3600;
/** Clicks on some messages, with rows for several commands, and some clicks in one row. */
const EVENTS = Array.from({ length: 150 }, (_, n) => {
  const event = { event_id: `${n}`, timestamp: `${TIME}`, is_automatic: n % 5 === 0 };
  const message = { message_id: `m${n % 40}`, campaign_id: 'spring', rcpt_tags: ['vip'] };
  const link = { target_link_name: `Link ${n % 120}`, part: 'html' };
  return JSON.stringify({ msys: { track_event: { ...event, ...message, ...link } } });
});

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

/**
 * Settles until a portion was counted, or the process ends at a command.
 * @param isSent whether this command was sent
 * @returns whether it ended so
 */
async function settleUntil(store: RedisStore, last: number, isSent: boolean): Promise<boolean> {
  const { run } = RedisConnection.prototype;
  let commands = 0;
  vi.spyOn(RedisConnection.prototype, 'run').mockImplementation(async function (
    this: RedisConnection,
    ...command: Parameters<typeof run>
  ) {
    const number = commands++;
    const answer = number < last || (number === last && isSent) ? run.apply(this, command) : 0;
    if (number >= last) {
      await answer;
      throw new Error('the process has ended');
    }
    return answer;
  } as typeof run);
  const { events, counters } = store;
  await new Promise<void>((resolve) => {
    const settlement = new Settlement({
      events: {
        lease: (name) => events.lease(name),
        openConsumer(name) {
          const consumer = events.openConsumer(name);
          const acknowledge = consumer.acknowledge.bind(consumer);
          consumer.acknowledge = async (some, note) => {
            await acknowledge(some, note);
            if (note === '') resolve();
          };
          return consumer;
        },
      },
      counters,
      automaticWithinMs: 0,
      logger: { ...silent, error: () => resolve() },
      metrics: noMetrics,
      intervalMs: 60_000,
    });
    settlement.start();
    closers.push(() => settlement.close());
  });
  vi.restoreAllMocks();
  return commands > last;
}

/** At which commands of a run a process ends: in a Cluster there are many that are alike. */
const STEPS: Readonly<Record<string, number>> = { 'one server': 1, 'a Cluster': 11 };

describe.each(Object.keys(shapes))('with %s', (shape) => {
  test('a process that ends at any command loses no click, and counts none twice', async () => {
    const { options, nodeOf } = await (shapes[shape] as () => Promise<Shape>)();
    let expected: unknown;
    for (const isSent of [false, true]) {
      for (let last = 0, hasEnded = true; hasEnded; last += STEPS[shape] ?? 1) {
        const keyPrefix = `${isSent ? 'sent' : 'unsent'}${last}:`;
        const [ended, heir] = [1, 2].map(() => openStore({ ...options, keyPrefix })) as [
          RedisStore,
          RedisStore,
        ];
        closers.push(
          () => ended.close(),
          () => heir.close(),
        );
        await ended.events.stream.append(EVENTS);
        hasEnded = await settleUntil(ended, last, isSent);
        const lease = `${keyPrefix}lease:counters`;
        await (await nodeOf(lease)).cli('del', lease);
        const { events, counters } = heir;
        const settlement = new Settlement({
          events,
          counters,
          automaticWithinMs: 0,
          logger: silent,
          metrics: noMetrics,
          intervalMs: 2,
        });
        settlement.start();
        const group = { group: 'counters', name: 'counters' };
        const consumer = events.openConsumer(group);
        closers.push(
          () => consumer.close(),
          () => settlement.close(),
        );
        await poll('everything to be counted', async () => {
          // Redis does not tell before the group is there.
          const backlog = await consumer.backlog().catch(() => undefined);
          return backlog?.events === 0 && (await consumer.note()) === '';
        });
        const reports = await Promise.all(
          BREAKDOWNS.map((by) => counters.report({ by, campaign: 'spring' })),
        );
        expected ??= reports;
        expect(reports, `command ${last}, ${isSent}`).toEqual(expected);
        expect(reports[0]?.total).toMatchObject({
          ...{ clicks: 150, rawClicks: 120, uniqueClicks: 40 },
          ...{ peopleClicks: 120, automaticClicks: 30, peopleUniqueClicks: 32 },
        });
        for (const close of closers.splice(1).reverse()) await close();
      }
    }
  }, 120_000);
});
