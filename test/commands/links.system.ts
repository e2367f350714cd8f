import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blockCommand } from '../../src/commands/block.ts';
import { eventsCommand } from '../../src/commands/events.ts';
import { forgetCommand } from '../../src/commands/forget.ts';
import { linkCommand } from '../../src/commands/link.ts';
import { reportCommand } from '../../src/commands/report.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCommand } from '../helpers/run-command.ts';
import { settle } from '../helpers/settle.ts';
import { exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';
import { openStore } from '../store/redis/open-store.ts';

let redis: Redis;
let folder: string;
let config: string;
beforeAll(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-links-'));
  config = join(folder, 'clickmilter.conf');
  await writeFile(
    config,
    `link_store = "redis"\nstate_directory = "${folder}"\nredis { url = "${redis.url}"  command_timeout = 1 }\n`,
  );
});
afterAll(async () => {
  await redis?.stop();
  await rm(folder, { recursive: true });
});

/** One command with the configuration of this test. */
const run = (register: typeof linkCommand, ...args: string[]) =>
  runCommand(register, ['-c', config, ...args]);

test('a stored link is looked up, blocked for the running service, and forgotten', async () => {
  const service = openStore({ url: redis.url });
  const message = exampleMessage({ subject: 'Offers \u001b[31mtoday' });
  const issued = service.issuer.issue(message);
  const token = tokenOf(issued, {
    target: 'https://www.shop.example/',
    part: 'html',
    name: 'Logo',
  });
  await issued.commit(new AbortController().signal);
  const { messageId } = message;
  const click = { messageId, link: 'Logo', part: 'html', count: 3 } as const;
  service.counters.book({ ...click, time: Date.parse('2026-11-23T12:00:00Z') }, 'people');
  await settle(service.counters);

  const url = `https://click.example.com/${token}`;
  const { stdout } = await run(linkCommand, 'link', url, '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    target: 'https://www.shop.example/',
    kind: 'stored',
    message: message.messageId,
    links: 1,
    recipient: 'Someone@example.org',
    clicks: 3,
    expired: false,
    blocked: false,
  });
  expect((await run(linkCommand, 'link', url)).stdout).toContain('subject    Offers today\n');

  const isBlocked = async () => {
    const resolved = await service.resolver.resolve(token);
    return resolved && (await service.blocks.find(token, resolved))?.kind;
  };
  await run(blockCommand, 'block', message.messageId);
  expect(await isBlocked()).toBe('message');
  await run(blockCommand, 'unblock', message.messageId);
  expect(await isBlocked()).toBeUndefined();

  const forgotten = await run(forgetCommand, 'forget', '--recipient', 'someone@example.org');
  expect(forgotten.stdout.replaceAll(folder, '')).toMatchInlineSnapshot(`
    "1 stored messages: erased, their links now lead nowhere
    0 stored messages with other recipients too: address erased
    0 click events: erased
    What this cannot erase: sealed links in mail already sent, which hold the address encrypted until their key
    is deleted; events already delivered; journals of other hosts; counts by link, where a target itself says whose
    it was; events erased from the click stream, in Redis' own memory and files until later ones push them out
    (stream_max_length, stream_max_size); logs and backups.
    "
  `);
  expect(await service.resolver.resolve(token)).toBeUndefined();
  await service.close();
});

test('after links were sealed, events and reports show what was before Redis as well', async () => {
  const service = openStore({ url: redis.url });
  const about = (id: string) => `{"msys":{"track_event":{"event_id":"${id}"}}}`;
  const journal = new Journal({
    ...eventsDefaults,
    folder: join(folder, 'events'),
    kind: 'events',
  });
  await journal.append([about('sealed-1'), about('sealed-2')]);
  await journal.close();
  await service.events.stream.append([about('redis-1')]);
  const facts = {
    time: Date.parse('2026-11-23T12:00:00Z'),
    messageId: 'AAAAAAAAAAAAAAAA',
    part: 'html',
  } as const;
  const clicked = { ...facts, link: 'Shop', count: 2 };
  const files = new FileCounters({ folder: join(folder, 'events') });
  files.book(clicked, 'people');
  files.book({ ...clicked, link: 'Blog' }, 'people');
  await settle(files);
  await files.close();
  service.counters.book(clicked, 'people');
  await settle(service.counters);
  await service.close();

  const { stdout } = await run(eventsCommand, 'events');
  expect(stdout).toBe(`${['sealed-1', 'sealed-2', 'redis-1'].map(about).join('\n')}\n`);
  const asked = [
    'report',
    '--json',
    '--by',
    'link',
    '--since',
    '2026-11-23',
    '--until',
    '2026-11-23',
  ];
  const report = JSON.parse((await run(reportCommand, ...asked)).stdout);
  expect(report.rows).toMatchObject([
    { link: 'Blog', count_clicked: 2 },
    { link: 'Logo', count_clicked: 3 },
    { link: 'Shop', count_clicked: 4 },
  ]);
  expect(report.total).toMatchObject({ count_clicked: 9 });
  await rm(join(folder, 'events'), { recursive: true });
});

test('forget --keep-links says that the links go on', async () => {
  const { stdout } = await run(
    forgetCommand,
    'forget',
    '--recipient',
    'a@x.example',
    '--keep-links',
  );
  expect(stdout).toContain(
    '0 stored messages: recipient, subject and metadata erased, their links still work\n',
  );
});

test('forget says what it could not read, and ends with 65', async () => {
  await redis.cli('set', 'clickmilter:m:AAAAAAAAAAAAAAAA', '\x09...');
  const { code, stdout, stderr } = await run(forgetCommand, 'forget', '--recipient', 'a@x.example');
  await redis.cli('del', 'clickmilter:m:AAAAAAAAAAAAAAAA');
  expect(code).toBe(65);
  expect(stdout).toContain('0 stored messages: erased');
  expect(stdout).toContain('What this cannot erase');
  expect(stderr).toMatchInlineSnapshot(`
    "clickmilter: 1 stored messages could not be read, and may still hold this recipient; the reason for the last of them: record of message AAAAAAAAAAAAAAAA: message record of format 9, this release reads formats 1, 3 and 4
    "
  `);
});

test('each of them says when Redis is away, and ends with 69', async () => {
  await redis.kill();
  const commands = [
    () => run(linkCommand, 'link', `1${'A'.repeat(23)}`),
    () => run(blockCommand, 'block'),
    () => run(forgetCommand, 'forget', '--recipient', 'a@x.example'),
  ];
  for (const command of commands) {
    const { code, stderr } = await command();
    expect(code).toBe(69);
    expect(stderr).toMatch(/^clickmilter: Redis 127\.0\.0\.1:\d+: /);
  }
  await redis.start();
});
