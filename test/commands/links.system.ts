import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blockCommand } from '../../src/commands/block.ts';
import { forgetCommand } from '../../src/commands/forget.ts';
import { linkCommand } from '../../src/commands/link.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { exampleMessage } from '../link/example-message.ts';
import { openStore } from '../store/open-store.ts';
import { runCommand } from './run-command.ts';

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

test('a stored link is looked up, blocked for the running service, and forgotten', async () => {
  const service = openStore({ url: redis.url });
  const message = exampleMessage({ subject: 'Offers \u001b[31mtoday' });
  const issued = service.issuer.issue(message);
  const token = issued.token({ target: 'https://www.shop.example/', part: 'html', name: 'Logo' });
  await issued.commit(new AbortController().signal);
  service.counters.clicked({
    day: '2026-11-23',
    messageId: message.messageId,
    link: 'Logo',
    count: 3,
  });
  await service.counters.flush();

  const url = `https://click.example.com/${token}`;
  const { output } = await runCommand(linkCommand, config, 'link', url, '--json');
  expect(JSON.parse(output)).toMatchObject({
    target: 'https://www.shop.example/',
    kind: 'stored',
    message: message.messageId,
    links: 1,
    recipient: 'Someone@example.org',
    clicks: 3,
    expired: false,
    blocked: false,
  });
  expect((await runCommand(linkCommand, config, 'link', url)).output).toContain(
    'subject    Offers [31mtoday\n',
  );

  const isBlocked = async () => {
    const resolved = await service.resolver.resolve(token);
    return resolved && (await service.blocks.find(token, resolved))?.kind;
  };
  await runCommand(blockCommand, config, 'block', message.messageId);
  expect(await isBlocked()).toBe('message');
  await runCommand(blockCommand, config, 'unblock', message.messageId);
  expect(await isBlocked()).toBeUndefined();

  const forgotten = await runCommand(
    forgetCommand,
    config,
    'forget',
    '--recipient',
    'someone@example.org',
  );
  expect(forgotten.output.replaceAll(folder, '')).toMatchInlineSnapshot(`
    "1 messages in Redis: erased, their links now lead nowhere
    0 messages in Redis that others got as well: address taken out
    0 events in the click stream: erased
    0 events in the journal /events: address, link and client taken out
    What this cannot erase: sealed links in mail already sent, which hold the address encrypted until their key
    is deleted; events already delivered; journals of other hosts; counts by link, where a target itself says whose
    it was; logs and backups.
    "
  `);
  expect(await service.resolver.resolve(token)).toBeUndefined();
  await service.close();
});

test('each of them says when Redis is away, and ends with 69', async () => {
  await redis.kill();
  const commands = [
    () => runCommand(linkCommand, config, 'link', `1${'A'.repeat(23)}`),
    () => runCommand(blockCommand, config, 'block'),
    () => runCommand(forgetCommand, config, 'forget', '--recipient', 'a@x.example'),
  ];
  for (const run of commands) {
    const { exitCode, error } = await run();
    expect(exitCode).toBe(69);
    expect(error).toMatch(/^Redis 127\.0\.0\.1:\d+: /);
  }
  await redis.start();
});
