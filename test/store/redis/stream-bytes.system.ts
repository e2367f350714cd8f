import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { type OpenOptions, openStore } from './open-store.ts';

const MiB = 1024 ** 2;
const KEY = 'clickmilter:events';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const stores: RedisStore[] = [];
function open(options: OpenOptions = {}): RedisStore {
  const opened = openStore({ url: redis.url, ...options });
  stores.push(opened);
  return opened;
}
afterEach(async () => {
  for (const opened of stores.splice(0)) await opened.close();
  await redis.cli('config', 'set', 'maxmemory', '0');
  await redis.cli('flushall');
});

const event = (n: number, bytes: number) =>
  `{"msys":{"track_event":{"n":${n},"p":"${'p'.repeat(Math.max(0, bytes - 40))}"}}}`;
const numberOf = ({ event }: { event: string }) => JSON.parse(event).msys.track_event.n as number;
const bytesOfStream = async () => Number(await redis.cli('memory', 'usage', KEY, 'samples', '0'));

describe('the stream is bounded in bytes', () => {
  test.each([
    ['small events', () => 300, 20_000],
    ['events of the longest kind', () => 60_000, 300],
    ['small ones, and then long ones', (n: number) => (n < 10_000 ? 300 : 60_000), 10_200],
    ['long ones, and then small ones', (n: number) => (n < 100 ? 60_000 : 300), 10_100],
  ])('%s: the oldest go, from two writers', async (_name, bytes, count) => {
    const maxBytes = 2 * MiB;
    const writers = [1, 2].map(() =>
      open({ stream: { streamMaxLength: 1_000_000, streamMaxSize: maxBytes } }),
    );
    for (let n = 0; n < count; n += 100) {
      const events = Array.from({ length: 100 }, (_, i) => event(n + i, bytes(n + i)));
      await writers[(n / 100) % 2]?.events.stream.append(events);
    }
    await expect.poll(bytesOfStream).toBeLessThanOrEqual(maxBytes * 1.1);
    expect(await bytesOfStream()).toBeGreaterThan(maxBytes / 4);
    expect(await redis.cli('xrevrange', KEY, '+', '-', 'count', '1')).toContain(
      `"n":${count - 1},`,
    );
  });

  test('what is there at the start counts as well', async () => {
    const before = open();
    for (let n = 0; n < 20; n++) {
      await before.events.stream.append(Array.from({ length: 100 }, () => event(n, 2000)));
    }
    expect(await bytesOfStream()).toBeGreaterThan(3 * MiB);
    await open({ stream: { streamMaxLength: 1_000_000, streamMaxSize: MiB } }).events.stream.append(
      [event(0, 100)],
    );
    await expect.poll(bytesOfStream).toBeLessThanOrEqual(1.1 * MiB);
  });

  test('never more than a quarter of what Redis may use: links are saved however many clicks come', async () => {
    await redis.cli('config', 'set', 'maxmemory', '40mb');
    const store = open();
    for (let n = 0; n < 100; n++) {
      await store.events.stream.append(Array.from({ length: 20 }, () => event(n, 60_000)));
    }
    await expect.poll(bytesOfStream).toBeLessThan(11 * MiB);
    expect(await redis.cli('set', 'x', 'y')).toBe('OK');
  });
});

describe('reading is bounded in bytes', () => {
  test('however long the events are', async () => {
    const store = open();
    const count = 120;
    for (let n = 0; n < count; n++) await store.events.stream.append([event(n, 400_000)]);
    const consumer = store.events.openConsumer({ group: 'webhook', name: 'a' });
    const reader = store.events.openReader('oldest');
    try {
      const batch = await consumer.next(10_000, 500, MiB);
      expect(batch.length).toBeLessThanOrEqual(32);
      const again = await consumer.unacknowledged(10_000, MiB);
      expect(again.map(numberOf)).toEqual([0, 1]);
      await consumer.acknowledge(again);
      expect((await consumer.unacknowledged(10_000, 10)).map(numberOf)).toEqual([2]);
      expect((await reader.next(10_000, 0)).length).toBeLessThanOrEqual(32);
    } finally {
      await consumer.close();
      await reader.close();
    }
  });

  test('many small ones are read in whole batches all the same', async () => {
    const store = open();
    await store.events.stream.append(Array.from({ length: 3000 }, (_, n) => event(n, 100)));
    const consumer = store.events.openConsumer({ group: 'webhook', name: 'a' });
    try {
      const batch = await consumer.next(2500, 500);
      expect(batch.map(numberOf)).toEqual(Array.from({ length: 2500 }, (_, n) => n));
      expect(await consumer.unacknowledged(2500)).toEqual(batch);
    } finally {
      await consumer.close();
    }
  });
});
