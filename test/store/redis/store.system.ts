import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import { newSealKey, SealKeys } from '../../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../../src/link/sealed-links.ts';
import { isStoredToken } from '../../../src/link/stored-token.ts';
import type { ReportBy } from '../../../src/store/counters.ts';
import { optOutDigest } from '../../../src/store/opt-outs.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { toClickEvent } from '../../click/example-click.ts';
import { poll } from '../../helpers/poll.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { nextPortionId, settle } from '../../helpers/settle.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { outcome, save, works } from './attempts.ts';
import { type OpenOptions, openStore } from './open-store.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const stores: RedisStore[] = [];
let store: RedisStore;
function open(options: OpenOptions = {}): RedisStore {
  const opened = openStore({ url: redis.url, ...options });
  stores.push(opened);
  return opened;
}
beforeEach(() => {
  store = open();
});
afterEach(async () => {
  for (const opened of stores.splice(0)) await opened.close();
  await redis.cli('flushall');
});

async function issue(facts: Parameters<typeof exampleMessage>[0]) {
  const message = exampleMessage(facts);
  const issued = store.issuer.issue(message);
  const token = tokenOf(issued, { target: 'https://shop.example/', part: 'html' });
  await issued.commit(new AbortController().signal);
  return { message, token };
}

describe('records', () => {
  test('are one key a message, which goes when its links expire', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { message } = await issue({ expires: now + 3_600 });
    expect(await redis.cli('keys', '*')).toBe(`clickmilter:m:${message.messageId}`);
    const ttl = Number(await redis.cli('ttl', `clickmilter:m:${message.messageId}`));
    expect(ttl).toBeGreaterThan(3_590);
    expect(ttl).toBeLessThanOrEqual(3_600);
    // One that has expired on the way does not stay for ever.
    const late = await issue({ expires: now - 10 });
    expect(Number(await redis.cli('ttl', `clickmilter:m:${late.message.messageId}`))).toBeLessThan(
      2,
    );
  });

  test('keep a link from whoever counts on from another one of its message', async () => {
    const issued = store.issuer.issue(exampleMessage());
    const tokens = [0, 1].map((n) =>
      tokenOf(issued, { target: `https://a.example/${n}`, part: 'html' }),
    );
    await issued.commit(new AbortController().signal);
    const [first = '', second = ''] = tokens;
    expect(first.slice(0, 17)).toBe(second.slice(0, 17));
    const guessed = first.slice(0, -1) + second.slice(-1);
    expect(await store.resolver.resolve(guessed)).toBeUndefined();
    expect(await store.resolver.resolve(second)).toBeDefined();
  });

  test('stay apart by their prefix', async () => {
    const { token } = await issue({});
    expect(await open({ keyPrefix: 'other:' }).resolver.resolve(token)).toBeUndefined();
  });
});

describe('blocks', () => {
  const keys = new SealKeys([newSealKey([], 0)]);
  const sealed = createSealedLinks(
    () => keys,
    () => [exampleMessage().domain],
  );
  const sealedLink = (target: string) =>
    tokenOf(sealed.issuer.issue(exampleMessage()), { target, part: 'html' });
  const sealedToken = sealedLink('https://shop.example/');
  const block = { kind: 'url', value: 'https://shop.example/' } as const;

  const blockOf = async (at: RedisStore, token: string) => {
    const resolver = isStoredToken(token) ? at.resolver : sealed.resolver;
    const resolved = await resolver.resolve(token);
    if (resolved === undefined) throw new Error('it does not resolve');
    return at.blocks.find(token, resolved);
  };

  test('made on one node count on another, for both kinds of links', async () => {
    const other = open();
    const { token } = await issue({});
    for (const each of [token, sealedToken]) expect(await blockOf(other, each)).toBeUndefined();
    await store.blocks.add(block);
    for (const each of [token, sealedToken]) expect(await blockOf(other, each)).toEqual(block);
    await store.blocks.remove(block);
    for (const each of [token, sealedToken]) expect(await blockOf(other, each)).toBeUndefined();
  });

  test('cost a stored link no command of its own', async () => {
    const { token } = await issue({});
    await blockOf(store, token);
    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await redis.cli('info', 'stats'))?.[1]);
    const before = await commands();
    for (let i = 0; i < 50; i++) await blockOf(store, token);
    // redis-cli's own INFO is one more.
    expect((await commands()) - before).toBe(51);
  });

  test('that are new are read once, however many requests come at that moment', async () => {
    const { token } = await issue({});
    const other = open();
    await blockOf(other, token);
    await store.blocks.add(block);
    const reads = async () =>
      Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.cli('info', 'commandstats'))?.[1] ?? 0);
    const before = await reads();
    const found = await Promise.all(Array.from({ length: 50 }, () => blockOf(other, token)));
    expect(found).toEqual(Array(50).fill(block));
    expect((await reads()) - before).toBe(1);
  });

  test('count on all nodes also after Redis has lost its data', async () => {
    const other = open();
    const { token } = await issue({});
    await store.blocks.add({ kind: 'domain', value: 'other.example' });
    expect(await blockOf(other, token)).toBeUndefined();
    await redis.cli('flushall');
    await store.blocks.add(block);
    expect(await blockOf(other, sealedToken)).toEqual(block);
  });

  test('still hold for sealed links while Redis is away, and other sealed links go on', async () => {
    const own = await startRedis();
    const apart = open({ url: own.url });
    await apart.blocks.add(block);
    expect(await blockOf(apart, sealedToken)).toEqual(block);
    await own.kill();
    expect(await blockOf(apart, sealedToken)).toEqual(block);
    const free = sealedLink('https://b.example/');
    expect(await blockOf(apart, free)).toBeUndefined();
    await own.stop();
  });
});

describe('the click stream', () => {
  test('keeps events that come at the same time in their order, each as an entry of its own', async () => {
    const reader = store.events.openReader('newest');
    await reader.next(1, 1);
    const events = [...Array(350).keys()].map(
      (n) => `{"msys":{"track_event":{"n":${n},"text":"ä"}}}`,
    );
    await Promise.all(events.map((event) => store.events.stream.append([event])));
    const kept: string[] = [];
    while (kept.length < events.length) {
      kept.push(...(await reader.next(1000, 1000)).map(({ event }) => event));
    }
    expect(kept).toEqual(events);
    await reader.close();
  });

  const event = (n: number) => `{"msys":{"track_event":{"n":${n}}}}`;
  const appendAll = (from: number, to: number) =>
    store.events.stream.append(Array.from({ length: to - from }, (_, i) => event(from + i)));
  const numbers = (events: readonly { event: string }[]) =>
    events.map(({ event }) => JSON.parse(event).msys.track_event.n);

  test('is bounded, and health says when it is nearly full', async () => {
    const small = open({ stream: { streamMaxLength: 100, streamMaxSize: 2 ** 30 } });
    for (let i = 0; i < 10; i++) await small.events.stream.append(Array(100).fill('{}'));
    // "Roughly": Redis removes whole nodes of 100 entries.
    expect((await small.events.stream.usage()).length).toBeLessThanOrEqual(200);
    const { warnings } = await small.health();
    expect(warnings.join('\n')).toMatch(
      /the click stream holds \d+ events, at 100 the oldest are dropped/,
    );
  });

  test('is shared by the consumers of a group, and each group gets all of it', async () => {
    const names = [
      { group: 'g', name: 'a' },
      { group: 'g', name: 'b' },
      { group: 'h', name: 'a' },
    ];
    await appendAll(0, 60);
    const [a, b, other] = names.map((name) => store.events.openConsumer(name));
    const first = numbers((await a?.next(40, 500)) ?? []);
    const second = numbers((await b?.next(40, 500)) ?? []);
    expect([...first, ...second].sort((x, y) => x - y)).toEqual(
      Array.from({ length: 60 }, (_, i) => i),
    );
    expect(numbers((await other?.next(100, 500)) ?? [])).toHaveLength(60);
    for (const consumer of [a, b, other]) await consumer?.close();
  });

  test('what a consumer left unacknowledged is its own again after a restart, in the same order', async () => {
    await appendAll(0, 30);
    const before = store.events.openConsumer({ group: 'g', name: 'a' });
    const batch = await before.next(20, 500);
    await before.acknowledge(batch.slice(0, 5));
    await before.close();
    const after = store.events.openConsumer({ group: 'g', name: 'a' });
    expect(await after.unacknowledged(100)).toEqual(batch.slice(5));
    expect(await after.unacknowledged(10)).toEqual(batch.slice(5, 15));
    expect(numbers(await after.next(100, 500))).toEqual(
      numbers(batch)
        .map((n) => n + 20)
        .slice(0, 10),
    );
    await after.close();
  });

  test('what a consumer that is gone left goes to another one; a busy one keeps its own', async () => {
    await appendAll(0, 20);
    const gone = store.events.openConsumer({ group: 'g', name: 'gone' }, undefined, 400);
    const busy = store.events.openConsumer({ group: 'g', name: 'busy' }, undefined, 400);
    const left = await gone.next(10, 500);
    const kept = await busy.next(10, 500);
    await gone.close();
    const heir = store.events.openConsumer({ group: 'g', name: 'heir' }, undefined, 400);
    const taken = await poll('the events to change hands', async () => {
      const found = await heir.unacknowledged(100);
      return found.length > 0 ? found : undefined;
    });
    expect(taken).toEqual(left);
    expect(await busy.unacknowledged(100)).toEqual(kept);
    await heir.acknowledge(taken);
    await busy.acknowledge(kept);
    for (const consumer of [busy, heir]) await consumer.close();
  });

  test('entries that are no events, as somebody else may add them, reach nobody and wait for nobody', async () => {
    const add = (text: string) => redis.cli('xadd', 'clickmilter:events', '*', 'event', text);
    await appendAll(0, 1);
    for (const foreign of ['{broken', '{"msys":{"half":', 'gone@x.example', '"gone@x.example"']) {
      await add(foreign);
    }
    await appendAll(1, 2);
    const reader = store.events.openReader('oldest');
    expect(numbers(await reader.next(10, 0))).toEqual([0, 1]);
    await reader.close();
    const consumer = store.events.openConsumer({ group: 'g', name: 'a' });
    const read = await consumer.next(10, 500);
    expect(numbers(read)).toEqual([0, 1]);
    await consumer.acknowledge(read);
    expect(await consumer.backlog()).toEqual({ events: 0 });
    await consumer.close();
    expect((await store.forget({ address: 'gone@x.example' })).events).toBe(0);
  });

  test('a group that Redis has lost is made again', async () => {
    const consumer = store.events.openConsumer({ group: 'g', name: 'a' });
    expect(await consumer.next(10, 0)).toEqual([]);
    await redis.cli('flushall');
    await appendAll(0, 3);
    expect(numbers(await consumer.next(10, 500))).toEqual([0, 1, 2]);
    await consumer.close();
  });

  test('a reader that loses Redis goes on where it was', async () => {
    const own = await startRedis({ args: ['--appendonly', 'yes'] });
    const apart = open({ url: own.url });
    await apart.events.stream.append([event(1)]);
    const reader = apart.events.openReader('oldest');
    expect(numbers(await reader.next(10, 0))).toEqual([1]);
    const waiting = outcome(reader.next(10, 500));
    await own.kill();
    expect(await waiting).not.toBe('done');
    await own.start();
    await poll('the store to be back', works(apart));
    await apart.events.stream.append([event(2)]);
    const next = await poll('the next event', () => reader.next(10, 100).catch(() => undefined));
    expect(numbers(next)).toEqual([2]);
    await reader.close();
    await own.stop();
  });

  /** A replica that takes over need not have all that the master had, and takes what comes meanwhile. */
  test.each<[why: string, then: readonly number[], read: readonly number[]]>([
    ['a failover lost the last ones, and others came before', [1, 2, 3, 4, 10], [3, 4, 10]],
    ['a failover lost them all', [3, 10], [3, 10]],
    ['some were forgotten', [1, 10], [10]],
    ['all were forgotten, or trimmed', [10], [10]],
    ['nothing happened', [1, 2, 8, 9, 10], [10]],
  ])('a reader misses nothing and repeats nothing where %s', async (_, then, expected) => {
    const fill = async (ids: readonly number[]) => {
      await redis.cli('del', 'clickmilter:events');
      for (const n of ids) {
        await redis.cli('xadd', 'clickmilter:events', `${n}-1`, 'event', event(n));
      }
    };
    await fill([1, 2, 8, 9]);
    const reader = store.events.openReader('oldest');
    expect(numbers(await reader.next(3, 0))).toEqual([1, 2, 8]);
    expect(numbers(await reader.next(3, 0))).toEqual([9]);
    await fill(then);
    expect(numbers(await reader.next(10, 0))).toEqual(expected);
    expect(await reader.next(10, 0)).toEqual([]);
    await reader.close();
  });
});

describe('counts', () => {
  const time = Date.now() - 3 * 86_400_000;
  const day = new Date(time).toISOString().slice(0, 10);
  const facts = { time, campaign: 'c', pathway: 'p' };
  const click = { ...facts, part: 'html', link: 'x', count: 1 } as const;

  test('wait for a Redis that is away', async () => {
    const own = await startRedis({ args: ['--appendonly', 'yes'] });
    const apart = open({ url: own.url });
    await poll('the store to be there', works(apart));
    await own.kill();
    const { counters } = apart;
    for (let i = 0; i < 100; i++) counters.sent({ ...facts, links: 2 });
    for (let i = 0; i < 5; i++) counters.book({ ...click, messageId: 'm' }, 'people');
    counters.book({ ...click, messageId: 'm' }, 'automatic');
    await counters.flush();
    const portion = await counters.portion();
    const id = nextPortionId();
    await expect(counters.count(portion, id)).rejects.toThrow(StoreUnavailable);
    await own.start();
    await poll('the store to be back', works(apart));
    await counters.count(portion, id);
    const report = await poll('the counts', async () => {
      const { total } = await counters.report({ by: 'day', since: day, until: day });
      return total.clicks > 0 && total.messages ? total : undefined;
    });
    expect(report).toMatchObject({
      messages: 100,
      links: 200,
      clicks: 6,
      rawClicks: 1,
      uniqueClicks: 1,
      peopleClicks: 5,
      automaticClicks: 1,
    });
    await apart.close();
    await own.stop();
  });

  test('of many messages are those of each, in however many portions they go', async () => {
    const links = [...Array(3).keys()].map((n) => `https://shop.example/${n}`);
    const query = { since: day, until: day } as const;
    for (const round of [1, 2]) {
      for (let n = 0; n < 500; n++) {
        for (const link of links) {
          store.counters.book({ ...click, messageId: `m${n}`, link }, 'people');
        }
      }
      // On another day as well, where it is not the first click on its link.
      const later = { ...click, time: time + 86_400_000, messageId: 'm0' };
      store.counters.book({ ...later, link: links[0] ?? '' }, 'people');
      await settle(store.counters);
      const { total } = await store.counters.report({ ...query, by: 'campaign' });
      expect(total).toMatchObject({
        clicks: 1500 * round,
        rawClicks: 1500,
        uniqueClicks: 500,
        peopleClicks: 1500 * round,
        peopleUniqueClicks: 500,
      });
    }
    const { rows } = await store.counters.report({ ...query, by: 'link' });
    expect(rows.map(({ key, clicks, rawClicks }) => [key, clicks, rawClicks])).toEqual(
      links.map((link) => [link, 1000, 500]),
    );
  });

  test('are kept for 400 days, and those by hour for 14, but of a campaign', async () => {
    store.counters.sent({ ...facts, links: 1 });
    await settle(store.counters);
    const daysLeft = async (key: string) =>
      Number(await redis.cli('ttl', `clickmilter:t:${day}:${key}`)) / 86_400;
    expect(await daysLeft('campaign')).toBeCloseTo(400, 1);
    expect(await daysLeft('hour')).toBeCloseTo(14, 1);
    expect(await daysLeft('hour:Ln0sA6lQeuJl')).toBeCloseTo(400, 1);
  });

  test('are added to those of a later release, of which none is lost', async () => {
    const table = `clickmilter:t:${day}:day`;
    await redis.cli('hset', table, day, '1,2,3,4,5,6,7,8,9,10,11');
    store.counters.book({ ...click, messageId: 'm1', link: 'x' }, 'people');
    await settle(store.counters);
    expect(await redis.cli('hget', table, day)).toBe('1,2,4,5,6,7,8,9,9,10,11');
  });

  test('of campaigns, links and domains without end fill no memory', async () => {
    // A command that is late is sent again, and counts twice.
    const { counters } = open({ url: redis.url, commandTimeoutMs: 60_000 });
    const most = 5000;
    for (let i = 0; i < 2 * most; i++) {
      const names = { campaign: `c${i}`, pathway: `p${i}`, tags: [`t${i}`, 'all'] };
      const each = { ...facts, ...names, recipientDomain: `${i}.example` };
      counters.sent({ ...each, links: 1 });
      counters.book({ ...click, ...each, messageId: `${i}`, link: `${i}` }, 'people');
      if (i % most === 0) await settle(counters);
    }
    await settle(counters);
    const bounds = { campaign: most, link: most, domain: 1000, day: 1 } as const;
    for (const [by, rows] of Object.entries(bounds) as [ReportBy, number][]) {
      const report = await counters.report({ by, since: day, until: day });
      expect(report.total, by).toMatchObject({ clicks: 2 * most, peopleClicks: 2 * most });
      expect(report.rows.length, by).toBeLessThanOrEqual(rows + 1);
      const sum = report.rows.reduce((all, row) => all + row.clicks, 0);
      expect(sum, by).toBe(2 * most);
    }
    for (const by of ['campaign', 'link'] as const) {
      const report = await counters.report({ by, tag: 'all', since: day, until: day });
      expect(report.rows.length, by).toBeLessThanOrEqual(501);
      expect(
        report.rows.reduce((all, row) => all + row.clicks, 0),
        by,
      ).toBe(2 * most);
    }
    const script = `local all = 0
      for _, key in ipairs(redis.call('KEYS', '*:t:*')) do all = all + redis.call('HLEN', key) end
      return all`;
    expect(Number(await redis.cli('eval', script, '0'))).toBeLessThan(100_000);
  });

  test('of earlier releases are read on, of unknown class', async () => {
    const field = (metric: string, key: string) => JSON.stringify([metric, 'c', key]);
    const counted = ['messages', '9', 'links', '27', 'clicks', '4', 'rawClicks', '3'];
    const [byPathway, byLink] = ['p', 'Shop'].map((key) =>
      counted.map((word, at) => (at % 2 === 0 ? field(word, key) : word)),
    );
    await redis.cli('hset', `clickmilter:n:${day}`, ...(byPathway ?? []));
    await redis.cli('hset', `clickmilter:l:${day}`, ...(byLink ?? []).slice(4));
    store.counters.book({ ...click, messageId: 'm', link: 'Shop' }, 'people');
    await settle(store.counters);
    const numbers = { clicks: 5, rawClicks: 4, peopleClicks: 1, automaticClicks: 0 };
    const keys = { day, campaign: 'c', pathway: 'p', link: 'Shop' };
    for (const campaign of [undefined, 'c']) {
      const query = { since: day, until: day, ...(campaign !== undefined && { campaign }) };
      for (const [by, key] of Object.entries(keys) as [ReportBy, string][]) {
        const { rows, total } = await store.counters.report({ ...query, by });
        expect(rows, by).toMatchObject([{ key, ...numbers }]);
        expect(total, by).toMatchObject(numbers);
      }
      for (const by of ['hour', 'tag', 'domain', 'part'] as const) {
        const { rows, total } = await store.counters.report({ ...query, by });
        const old = rows.find(({ key }) => key === '(unknown)');
        expect(old, by).toMatchObject({ clicks: 4, peopleClicks: 0, automaticClicks: 0 });
        expect(total, by).toMatchObject(numbers);
      }
    }
    const other = await store.counters.report({ by: 'day', campaign: 'other' });
    expect(other.total.clicks).toBe(0);
    // Their links have no pathway, and nothing of them has a tag.
    for (const [filter, by, clicks] of [
      [{ pathway: 'p' }, 'day', 5],
      [{ pathway: 'p' }, 'campaign', 5],
      [{ pathway: 'p' }, 'link', 1],
      [{ pathway: 'other' }, 'day', 0],
      [{ tag: 'p' }, 'day', 0],
    ] as const) {
      const { total } = await store.counters.report({ by, ...filter, since: day, until: day });
      expect(total.clicks, `${by} ${JSON.stringify(filter)}`).toBe(clicks);
    }
  });

  test('are read in the tables that builds before this one wrote for each campaign', async () => {
    const tables = {
      day: [day, '2,6,3'],
      campaign: ['c', '2,6,3'],
      pathway: ['p', '2,6,3'],
      'day:Ln0sA6lQeuJl': [day, '2,6,3'],
      'hour:Ln0sA6lQeuJl': [`${day}T08`, '2,6,3'],
      'position:Ln0sA6lQeuJl': ['html 0 Shop', '0,0,3'],
    } as const;
    for (const [key, [field, numbers]] of Object.entries(tables)) {
      await redis.cli('hset', `clickmilter:t:${day}:${key}`, field, numbers);
    }
    for (const [by, filter, key] of [
      ['day', { campaign: 'c' }, day],
      ['hour', { campaign: 'c' }, `${day}T08`],
      ['position', { campaign: 'c' }, 'html 0 Shop'],
      ['link', { campaign: 'c' }, 'Shop'],
      ['day', { pathway: 'p' }, day],
    ] as const) {
      const { rows, total } = await store.counters.report({ by, ...filter });
      expect(rows, by).toMatchObject([{ key, clicks: 3 }]);
      expect(total.clicks, by).toBe(3);
    }
  });

  test('in whose place another program put something are left out, and reported', async () => {
    const { counters } = store;
    const later = time + 86_400_000;
    for (const at of [time, later]) {
      counters.book({ ...click, time: at, messageId: `${at}` }, 'people');
    }
    await settle(counters);
    await redis.cli('set', `clickmilter:t:${day}:link`, 'foreign');
    await redis.cli('set', `clickmilter:l:${day}`, 'foreign');
    await redis.cli('hset', `clickmilter:n:${day}`, '["clicks","c","p"]', '5');
    await redis.cli('set', `clickmilter:t:${new Date(later).toISOString().slice(0, 10)}:day`, 'x');
    expect(await counters.report({ by: 'link' })).toMatchObject({
      rows: [],
      total: { clicks: 1 },
      unreadable: 3,
    });
    expect(await counters.report({ by: 'campaign', campaign: 'c' })).toMatchObject({
      total: { clicks: 7 },
      unreadable: 0,
    });
  });
});

describe('forget', () => {
  test('erases what is stored about a recipient, and nothing else', async () => {
    const own = await issue({ recipients: ['Gone@x.example'] });
    const others = await issue({ recipients: ['stays@x.example'] });
    const shared = await issue({ recipients: ['gone@X.example', 'stays@x.example'] });
    const clickOf = (recipient: string) =>
      JSON.stringify(
        toClickEvent(
          {
            token: 'T',
            time: Date.now(),
            resolved: {
              link: { target: 'https://shop.example/', part: 'html' },
              message: exampleMessage({ recipients: [recipient] }),
              isFor: () => true,
            },
          },
          {},
          'id',
        ),
      );
    await store.events.stream.append(
      ['Gone@x.example', 'stays@x.example', 'agone@x.example'].map(clickOf),
    );
    const { messageId } = own.message;
    const click = { time: Date.now(), messageId, link: 'x', part: 'html', count: 1 } as const;
    store.counters.book(click, 'people');
    await settle(store.counters);

    const steps: number[] = [];
    const found = await store.forget({
      address: 'GONE@x.example',
      progress: (done, total) => steps.push(done / total),
    });
    expect(found).toEqual({ records: 1, shared: 1, events: 1, unreadable: 0 });
    expect(steps.at(-1)).toBe(1);
    expect(await store.resolver.resolve(own.token)).toBeUndefined();
    expect(await store.resolver.resolve(others.token)).toBeDefined();
    const left = await store.resolver.resolve(shared.token);
    // Two have the message still: its clicks are not said to be those of the one who is known.
    expect(left?.message.recipients).toEqual(['', 'stays@x.example']);
    expect(
      Number(await redis.cli('ttl', `clickmilter:m:${shared.message.messageId}`)),
    ).toBeGreaterThan(0);
    expect(await redis.cli('xlen', 'clickmilter:events')).toBe('2');
    expect(await redis.cli('keys', 'clickmilter:c:*')).toBe('');
    const again = await store.forget({ address: 'gone@x.example' });
    expect(again).toEqual({ records: 0, shared: 0, events: 0, unreadable: 0 });
    await store.forget({ address: 'stays@x.example' });
    expect(await store.resolver.resolve(shared.token)).toBeUndefined();
  });
});

describe('forget, and keep the links', () => {
  test('says nothing of the recipient any more, and leads where it led', async () => {
    const own = await issue({
      recipients: ['Gone@x.example'],
      subject: 'For Gone',
      rfc822MessageId: '<for-gone@x.example>',
    });
    const shared = await issue({ recipients: ['gone@x.example', 'stays@x.example'] });
    const before = await redis.cli('ttl', `clickmilter:m:${own.message.messageId}`);
    const asked = { address: 'GONE@x.example', keepLinks: true };
    expect(await store.forget(asked)).toEqual({ records: 1, shared: 1, events: 0, unreadable: 0 });
    const kept = await store.resolver.resolve(own.token);
    expect(kept?.link.target).toBe('https://shop.example/');
    expect(kept?.message).toMatchObject({
      campaignId: 'autumn-2026',
      recipients: [],
      recipientCount: 1,
      identity: 'none',
    });
    for (const fact of ['sender', 'subject', 'metadata', 'tags', 'queueId', 'rfc822MessageId']) {
      expect(kept?.message).not.toHaveProperty(fact);
    }
    if (kept === undefined) throw new Error('the link is gone');
    const event = JSON.stringify(toClickEvent({ token: 'T', time: 0, resolved: kept }, {}, 'id'));
    expect(event).not.toMatch(/gone|rcpt_to/i);
    expect((await store.resolver.resolve(shared.token))?.message.recipients).toEqual([
      '',
      'stays@x.example',
    ]);
    const after = Number(await redis.cli('ttl', `clickmilter:m:${own.message.messageId}`));
    expect(Math.abs(after - Number(before))).toBeLessThan(30);
    expect(await store.forget(asked)).toEqual({ records: 0, shared: 0, events: 0, unreadable: 0 });
  });
});

test('events older than a time are removed from the stream, and no others', async () => {
  const now = Date.now();
  await redis.cli(
    'eval',
    "for n = 1, 250 do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. n, 'event', ARGV[2]) end",
    '1',
    'clickmilter:events',
    String(now - 90_001),
    'old',
  );
  for (const id of [now - 90_000, now]) {
    await redis.cli('xadd', 'clickmilter:events', `${id}-0`, 'event', `new ${id}`);
  }
  expect(await store.events.removeBefore(now - 90_000)).toBe(250);
  const left = await redis.cli('xrange', 'clickmilter:events', '-', '+');
  expect(left.match(/new \d+/g)).toEqual([`new ${now - 90_000}`, `new ${now}`]);
  expect(await store.events.removeBefore(now - 90_000)).toBe(0);
});

test('events older than a time are removed where the clock of Redis was ahead', async () => {
  await redis.cli('del', 'clickmilter:events');
  const now = Math.floor(Date.now() / 1000);
  const event = (seconds: number) => `{"msys":{"track_event":{"timestamp":"${seconds}"}}}`;
  const ahead = `${now + 86_400_000}000`;
  await redis.cli('xadd', 'clickmilter:events', `${ahead}-0`, 'event', event(now + 86_400_000));
  const old = Array.from({ length: 250 }, () => event(now - 91));
  await store.events.stream.append([...old, event(now - 89), ...old]);
  expect(await store.events.removeBefore((now - 90) * 1000)).toBe(250 + 48);
  expect(await redis.cli('xlen', 'clickmilter:events')).toBe('204');
  await redis.cli('del', 'clickmilter:events');
});

describe('opt-outs', () => {
  const somebody = ['somebody@x.example'];

  test('while Redis is away: a list that was empty stays so, and another one is not known', async () => {
    const [empty, fresh, full] = [open(), open(), open({ keyPrefix: 'full:' })];
    await full.optOuts.add([optOutDigest('other@x.example')]);
    expect(await empty.optOuts.hasAny(somebody)).toBe(false);
    expect(await full.optOuts.hasAny(somebody)).toBe(false);
    redis.pause();
    try {
      await poll('the moment of an empty list to pass', async () => {
        expect(await empty.optOuts.hasAny(somebody)).toBe(false);
        return full.optOuts.hasAny(somebody).catch((error) => error instanceof StoreUnavailable);
      });
      await expect(fresh.optOuts.hasAny(somebody)).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(full.optOuts.add([])).rejects.toBeInstanceOf(StoreUnavailable);
    } finally {
      redis.resume();
    }
    await poll('Redis', () => full.optOuts.hasAny(['other@x.example']).catch(() => false));
  });

  test('an empty list is asked for once per second, and another one once per message', async () => {
    const asked = async () => {
      const stats = await redis.cli('info', 'commandstats');
      return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const before = await asked();
    for (let i = 0; i < 100; i++) await store.optOuts.hasAny(somebody);
    // A slow machine may take some seconds for it.
    expect((await asked()) - before).toBeLessThan(20);
    await open().optOuts.add([optOutDigest('other@x.example')]);
    await poll('the opt-out', () => store.optOuts.hasAny(['other@x.example']));
    const then = await asked();
    for (let i = 0; i < 100; i++) await store.optOuts.hasAny(somebody);
    expect((await asked()) - then).toBe(100);
  });
});

describe('health', () => {
  test.each([
    ['links that may be evicted', ['--maxmemory-policy', 'allkeys-lru', '--appendonly', 'yes']],
    [
      'links that may be evicted although they expire',
      ['--maxmemory-policy', 'volatile-ttl', '--appendonly', 'yes'],
    ],
    ['nothing on disk', []],
    ['snapshots only', ['--save', '3600 1']],
    ['nothing to complain of', ['--appendonly', 'yes', '--maxmemory', '1gb']],
    [
      'scripts that are refused',
      ['--appendonly', 'yes', '--user', 'default', 'on', 'nopass', '~*', '+@all', '-eval'],
    ],
    ['a server without scripts', ['--appendonly', 'yes', '--rename-command', 'EVAL', '']],
  ])('warns of %s', async (_, args) => {
    const own = await startRedis({ args });
    const { warnings, facts } = await open({ url: own.url }).health();
    expect(warnings).toMatchSnapshot();
    expect(facts).toEqual([expect.stringMatching(/^Redis \d+\.\d+.* answers in [\d.]+ ms/)]);
    await own.cli('config', 'set', 'save', '');
    await own.stop();
  });

  test('rejects where Redis is away', async () => {
    expect(await outcome(open({ url: 'redis://127.0.0.1:1' }).health())).not.toBe('done');
    await save(store);
  });
});
