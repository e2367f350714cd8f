import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { AutomationSigns, linkKey } from '../../../src/click/automation.ts';
import { RecentClicks } from '../../../src/store/recent-clicks.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { exampleClick } from '../../click/example-click.ts';
import { draftOf, envelope } from '../../click/judge.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { watchCommands } from '../../helpers/watched-commands.ts';
import { type OpenOptions, openStore } from './open-store.ts';

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
  await redis.cli('flushall');
});

const signs = new AutomationSigns({ ...eventsDefaults, automaticNetworks: ['192.0.2.9'] });
const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const entries = async () => {
  const reader = open().events.openReader('oldest');
  const all: string[] = [];
  for (;;) {
    const next = await reader.next(1_000, 0);
    if (next.length === 0) break;
    all.push(...next.map(({ event }) => event));
  }
  await reader.close();
  return all;
};
const clickOf = (client: number, link: number, linkCount = 0) => {
  const click = exampleClick({
    time: Date.now(),
    token: `token-${link}`,
    ip: client === 0 ? undefined : `192.0.2.${client}`,
  });
  return linkCount === 0 ? click : { ...click, resolved: { ...click.resolved, linkCount } };
};

test('Redis completes events as the memory of one process does, whoever of several writes them', async () => {
  const step = fc.record({
    client: fc.integer({ min: 0, max: 3 }),
    link: fc.integer({ min: 0, max: 7 }),
    linkCount: fc.constantFrom(0, 2, 4, 101),
    isHead: fc.boolean(),
  });
  const streams = [open(), open(), open()].map(({ events }) => events.stream);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      await redis.cli('flushall');
      const memory = new RecentClicks(eventsDefaults.automaticWithinMs);
      const expected: string[] = [];
      for (const [n, { client, link, linkCount, isHead }] of steps.entries()) {
        const stream = streams[n % streams.length] ?? streams[0];
        if (isHead && link === 7) {
          memory.headSeen(linkKey(`token-${link}`));
          stream?.headSeen(linkKey(`token-${link}`));
          await stream?.append([]);
          continue;
        }
        const draft = envelope(draftOf(signs, clickOf(client, link, linkCount), idOf(n)));
        expected.push(memory.finish(draft));
        await stream?.record(draft);
      }
      expect(await entries()).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test('more than 20 clicks, and more than 100 links, are forgotten as a process forgets them', async () => {
  const memory = new RecentClicks(eventsDefaults.automaticWithinMs);
  const { stream } = open().events;
  const links = [...Array(30).fill(0), ...Array.from({ length: 120 }, (_, link) => link)];
  const drafts = links.map((link, n) => envelope(draftOf(signs, clickOf(1, link), idOf(n))));
  await Promise.all(drafts.map((draft) => stream.record(draft)));
  expect(await entries()).toEqual(drafts.map((draft) => memory.finish(draft)));
  const [hash = ''] = (await redis.cli('keys', 'clickmilter:r:*')).split('\n');
  const [value = ''] = (await redis.cli('hvals', hash)).split('\n');
  expect(value.length).toBeLessThan(2_000);
});

test('Redis remembers no more than a bound, and keeps every click', async () => {
  const most = 50_000;
  const fill = `for i = 1, ${most} do redis.call('HSET', KEYS[1], i, '') end`;
  for (const n of [0, 1]) {
    await redis.cli('eval', fill, '1', `clickmilter:r:{clickmilter:events}:${n}`);
  }
  const { stream } = open().events;
  const drafts = [0, 1, 2, 3, 4].map((n) => envelope(draftOf(signs, clickOf(1, n), idOf(n))));
  for (const draft of drafts) await stream.record(draft);
  expect(await entries()).toHaveLength(5);
  for (const n of [0, 1]) {
    const count = await redis.cli('hlen', `clickmilter:r:{clickmilter:events}:${n}`);
    expect(Number(count)).toBeLessThanOrEqual(most);
  }
});

test('a click and its signs are one command', async () => {
  const store = open();
  await store.events.stream.record(envelope(draftOf(signs, clickOf(1, 0), idOf(0))));
  const commands = await watchCommands(redis);
  const sent = await commands.during(async () => {
    for (let n = 1; n <= 5; n++) {
      await store.events.stream.record(envelope(draftOf(signs, clickOf(1, n), idOf(n))));
    }
  });
  const seen = [...sent.values()].flat();
  expect(seen.filter((command) => command === 'eval')).toHaveLength(5);
  expect(seen.filter((command) => command === 'xadd')).toEqual([]);
});

const HOUR_MS = 3_600_000;
test.each([
  ['a time ahead of the clock', (since: number, links: string) => `${since + HOUR_MS} ${links} `],
  ['an id that is none', (since: number, links: string) => `${since} ${links} x"],"y":["`],
  [
    'more ids than a burst has',
    (since: number, links: string) =>
      `${since} ${links} ${Array.from({ length: 3_000 }, (_, n) => idOf(n)).join()}`,
  ],
  ['no time', (_: number, links: string) => `x ${links} ${idOf(0)}`],
  ['one word', () => 'x'],
])('a burst with %s spoils no event', async (_, burstOf) => {
  const { stream } = open().events;
  const since = Number((await redis.cli('time')).split('\n')[0]) * 1000;
  const draft = envelope(draftOf(signs, clickOf(1, 9), idOf(9)));
  const links = [1, 2, 3, 4].map((n) => `${linkKey(`token-${n}`)}.`).join('');
  for (const n of [0, 1]) {
    const key = `clickmilter:r:{clickmilter:events}:${n}`;
    await redis.cli('hset', key, `b${draft.burst}`, burstOf(since, links));
    await redis.cli('hset', key, `h${draft.link}.`, String(since + HOUR_MS));
  }
  await stream.record(draft);
  const [event = ''] = await entries();
  const { msys } = JSON.parse(event);
  expect(msys.track_event.event_id).toBe(idOf(9));
  expect(msys.track_event).not.toHaveProperty('reclassifies');
  expect(msys.track_event.automation_reasons ?? []).not.toContain('head_request');
});

test('what is remembered expires', async () => {
  const store = open({ stream: { ...eventsDefaults, automaticWithinMs: 100 } });
  store.events.stream.headSeen(linkKey('a'));
  await store.events.stream.record(envelope(draftOf(signs, clickOf(1, 0), idOf(0))));
  await expect.poll(() => redis.cli('keys', '*')).toBe('clickmilter:events');
});

test.each([
  [
    'a foreign value in the place of the hashes',
    async () => {
      for (const n of [0, 1])
        await redis.cli('set', `clickmilter:r:{clickmilter:events}:${n}`, 'x');
      return {};
    },
  ],
  [
    'a user who may not read the time',
    async () => {
      await redis.cli('acl', 'setuser', 'no-time', 'on', 'nopass', '~*', '+@all', '-time');
      return { username: 'no-time', password: 'x' };
    },
  ],
  [
    'a user who may not run scripts',
    async () => {
      await redis.cli('acl', 'setuser', 'no-eval', 'on', 'nopass', '~*', '+@all', '-eval');
      return { username: 'no-eval', password: 'x' };
    },
  ],
] as const)('%s: the process remembers by itself, and every click is kept', async (_, prepare) => {
  const { stream } = open(await prepare()).events;
  const memory = new RecentClicks(eventsDefaults.automaticWithinMs);
  const drafts = [0, 1, 2, 3, 4].map((n) => envelope(draftOf(signs, clickOf(1, n), idOf(n))));
  for (const draft of drafts) await stream.record(draft);
  const kept = await entries();
  expect(kept).toEqual(drafts.map((draft) => memory.finish(draft)));
  expect(kept.at(-1)).toMatch(/"reclassifies":\["/);
});
