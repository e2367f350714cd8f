import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsCommand } from '../../src/commands/events.ts';
import { forgetCommand } from '../../src/commands/forget.ts';
import { linkCommand } from '../../src/commands/link.ts';
import { reportCommand } from '../../src/commands/report.ts';
import type { RedisStore } from '../../src/store/redis/store.ts';
import { follow } from '../helpers/follow.ts';
import { damaged } from '../helpers/mutations.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { runCommand } from '../helpers/run-command.ts';
import { type Service, startService } from '../helpers/service.ts';
import { exampleMessage } from '../link/example-message.ts';
import { openStore } from '../store/redis/open-store.ts';

/*
 * Values in Redis are overwritten by somebody else, and the service runs on: a request may end in 404, 410 or 503, a
 * command with an exit code and a sentence.
 */

const TODAY = new Date().toISOString().slice(0, 10);
const KEYS = {
  events: 'clickmilter:events',
  table: `clickmilter:t:${TODAY}:day`,
  links: `clickmilter:t:${TODAY}:link`,
  counts: `clickmilter:n:${TODAY}`,
  linkCounts: `clickmilter:l:${TODAY}`,
  blocks: 'clickmilter:blocks',
  blocksVersion: 'clickmilter:blocks:version',
} as const;

let redis: Redis;
let service: Service;
let store: RedisStore;
let client: Client;
beforeAll(async () => {
  redis = await startRedis();
  service = await startService(
    `link_store = redis  redis { url = "${redis.url}" }\nevents { automatic_within = 0 }`,
  );
  store = openStore({ url: redis.url });
  client = new Client(redis.url);
});
afterAll(async () => {
  client?.disconnect();
  await store?.close();
  await service?.stop();
  await redis?.stop();
});

async function issue(): Promise<{ url: string; key: string; clicked: string }> {
  const message = exampleMessage();
  const issued = store.issuer.issue(message);
  const token = issued.token({ target: 'https://shop.example/', part: 'html', name: 'Logo' });
  await issued.commit();
  return {
    url: `https://click.example.com/${token}`,
    key: `clickmilter:m:${message.messageId}`,
    clicked: `clickmilter:c:${message.messageId}`,
  };
}

const click = async ({ url }: { url: string }) => (await follow(service.httpPort, url)).status;
const command = (...args: string[]) => runCli(['--config', service.configFile, ...args]);

/** The service records and counts clicks as ever. */
async function expectWell(): Promise<void> {
  const counted = async () => (await store.counters.report({ by: 'day' })).total.clicks;
  const before = await counted();
  expect(await click(await issue())).toBe(302);
  await poll('the click to be counted', async () => (await counted()) > before);
  expect(/^ {4}at /m.test(service.output())).toBe(false);
}

/** All commands that read what is stored end properly. */
async function expectCommandsEnd(url: string): Promise<Record<string, string>> {
  const commands = [
    [eventsCommand, 'events'],
    [reportCommand, 'report', '--by', 'link'],
    [reportCommand, 'report', '--by', 'campaign'],
    [linkCommand, 'link', url],
    [forgetCommand, 'forget', '--recipient', 'nobody@example.net'],
  ] as const;
  const said: Record<string, string> = {};
  for (const [register, name, ...args] of commands) {
    const { code, stderr } = await runCommand(register, ['-c', service.configFile, name, ...args]);
    expect(stderr, name).not.toMatch(/ {4}at |internal error|Error:/);
    expect([0, 65, 69], `${name}: ${stderr}`).toContain(code);
    said[name] = `${said[name] ?? ''}${stderr}`;
  }
  return said;
}

/** Puts something of another type in the place of a key. */
const strangers: Record<string, (key: string) => Promise<unknown>> = {
  string: (key) => client.set(key, 'nonsense'),
  list: (key) => client.rpush(key, 'a', 'b'),
  hash: (key) => client.hset(key, 'field', 'value', '["clicks"]', 'x', '["clicks","",""]', '-5'),
  stream: (key) => client.xadd(key, '*', 'event', '{"msys":{"track_event":7}}', 'other', 'x'),
  'sorted set': (key) => client.zadd(key, 1, 'a'),
};

describe.each(Object.keys(strangers))('a %s in the place of', (type) => {
  test.each(Object.keys(KEYS) as (keyof typeof KEYS)[])('%s', async (name) => {
    const key = KEYS[name];
    const link = await issue();
    await click(link);
    const kept = await client.dumpBuffer(key);
    await client.del(key);
    await strangers[type]?.(key);
    expect([302, 410, 503]).toContain(await click(link));
    const { events } = await expectCommandsEnd(link.url);
    if (name === 'events' && type !== 'stream') {
      expect(events).toContain('another program wrote to a key that begins with');
    }
    await client.del(key);
    if (kept !== null) await client.restore(key, 0, kept);
    await expectWell();
  });

  test('a record, and the clicks of a message', async () => {
    const [bad, good] = [await issue(), await issue()];
    await client.del(bad.key);
    await strangers[type]?.(bad.key);
    await strangers[type]?.(good.clicked);
    expect([404, 410, 503]).toContain(await click(bad));
    expect(await click(good)).toBe(302);
    const { forget } = await expectCommandsEnd(bad.url);
    if (type !== 'string') expect(forget).toContain('could not be read');
    await client.del(bad.key, good.clicked);
    await expectWell();
  });
});

test('foreign fields in counters and foreign entries in the stream are left out, and said', async () => {
  const link = await issue();
  expect(await click(link)).toBe(302);
  await client.hset(KEYS.linkCounts, 'foreign', '1', '["clicks","",""]', 'many', '7', '7');
  await client.hset(KEYS.counts, 'foreign', '1');
  await client.hset(KEYS.links, 'foreign', 'many');
  await client.xadd(KEYS.events, '*', 'event', '{"msys":', 'x', 'y');
  for (let i = 0; i < 100; i++) await client.xadd(KEYS.events, '*', 'x', 'y');
  const again = await issue();
  expect(await click(again)).toBe(302);
  const said = await expectCommandsEnd(link.url);
  expect(said['report']).toContain('4 counts skipped: they cannot be read');
  expect(said['events']).toContain('101 entries skipped: they are not events');
  const { stdout } = await command('events');
  expect(stdout.toString()).toContain(/[\w-]{16}/.exec(again.key.slice(-16))?.[0] ?? '?');
  await client.del(KEYS.linkCounts, KEYS.counts);
  await client.hdel(KEYS.links, 'foreign');
  await expectWell();
});

test('a foreign value in one counter keeps no other from being counted', async () => {
  const [bad, good] = [await issue(), await issue()];
  await client.set(bad.clicked, 'x');
  expect([await click(bad), await click(good)]).toEqual([302, 302]);
  await poll('the other click to be counted', async () =>
    /1/.test(String(await client.hvals(good.clicked))),
  );
});

test('records damaged in any way', async () => {
  const link = await issue();
  const record = (await client.getBuffer(link.key)) ?? Buffer.alloc(0);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    fc
      .array(fc.tuple(fc.nat({ max: record.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 })
      .map((changes) => {
        const changed = Buffer.from(record);
        for (const [at, byte] of changes) changed[at] = byte;
        return changed;
      }),
    fc.nat({ max: record.length }).map((end) => record.subarray(0, end)),
    damaged(record.toString('latin1')).map((text) => Buffer.from(text, 'latin1')),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (value) => {
      await client.set(link.key, value);
      expect([302, 404, 410, 503]).toContain(await click(link));
    }),
    { numRuns: 150 },
  );
  await expectCommandsEnd(link.url);
  await client.del(link.key);
  await expectWell();
});

describe('without Redis', () => {
  test('damaged journals, counts and block lists', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-stored-'));
    const config = join(folder, 'clickmilter.conf');
    await writeFile(
      config,
      `link_store = sealed\nstate_directory = "${folder}"\nevents { journal = "${folder}" }\n`,
    );
    const junk =
      '{"msys":7}\n[1,2\n\0\0\n["click",{},1]\n["sent",1,2,3,4]\nnull\n{"msys":{"track_event":[]}}\n';
    for (const name of [
      'events-20260101000000000-aaaaaaaaaa.elsewhere.1.jsonl',
      'pending-20260101000000000-aaaaaaaaab.elsewhere.1.jsonl',
      'pending-20260101000000000-aaaaaaaaab.offset',
      'webhook.offsets.json',
      `counts-${TODAY}.host.1.jsonl`,
      'dead-letters.jsonl',
      'blocked',
    ]) {
      await writeFile(join(folder, name), junk);
    }
    for (const args of [['events'], ['report'], ['forget', '--recipient', 'x@example.net']]) {
      const { code, stderr } = await runCli(['--config', config, ...args]);
      expect({ code, trace: /internal error| {4}at /.test(stderr) }).toEqual({
        code: 0,
        trace: false,
      });
      if (args[0] === 'events') expect(stderr).toContain('entries skipped');
      if (args[0] === 'report') expect(stderr).toContain('counts skipped');
    }
    await rm(folder, { recursive: true });
  });
});
