import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { ClickEvent } from '../../../src/link/click-facts.ts';
import { connectMilter } from '../../../src/milter/client.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import { startClicking } from '../../helpers/click-load.ts';
import { schemaErrors } from '../../helpers/event-schema.ts';
import { follow } from '../../helpers/follow.ts';
import { poll } from '../../helpers/poll.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { runCli } from '../../helpers/run-cli.ts';
import { type Service, startService } from '../../helpers/service.ts';

const TRACKING =
  'ESMTP_Listener { click_tracking_enabled = true  tracking_domain = "click.example.com" }';
/** So many that no link is taken to be flooded, however fast the machine is. */
const LINKS = 2500;

const releases: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function service(settings: string): Promise<Service> {
  const started = await startService(`${TRACKING}\n${settings}`);
  releases.push(() => started.stop());
  return started;
}

/** Sealed links of the service's keys: they can be followed whatever becomes of Redis. */
async function sealedLinks(of: Service): Promise<string[]> {
  const conf = join(of.dir, 'sealed.conf');
  await writeFile(
    conf,
    `state_directory = "${join(of.dir, 'var')}"\nlink_store = "sealed"\n${TRACKING}\n`,
  );
  const links = Array.from(
    { length: LINKS },
    (_, n) => `<a href="https://example.org/${n}">${n}</a>`,
  );
  const message = `From: a@example.com\r\nTo: b@example.org\r\nContent-Type: text/html\r\n\r\n${links.join('\r\n')}\r\n`;
  const file = join(of.dir, 'links.json');
  const made = await runCli(['--config', conf, 'rewrite', '--live', '--links', file], message);
  expect(made.stderr).toBe('');
  const urls = (JSON.parse(readFileSync(file, 'utf8')) as { url: string }[]).map(({ url }) => url);
  expect(urls).toHaveLength(LINKS);
  return urls;
}

const agentsOf = (events: readonly ClickEvent[]) =>
  new Set(events.map(({ msys }) => msys.track_event.user_agent ?? ''));
const idsOf = (events: readonly ClickEvent[]) =>
  events.map(({ msys }) => msys.track_event.event_id);
const missingFrom = (found: ReadonlySet<string>, answered: ReadonlySet<string>) =>
  [...answered].filter((one) => !found.has(one));
const parse = (lines: string) =>
  lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ClickEvent);

test('kill -9 under load, again and again: every click that was answered is in the journal, and is counted once', async () => {
  const clickmilter = await service('link_store = "sealed"\nevents { automatic_within = 0 }');
  const urls = await sealedLinks(clickmilter);
  const load = startClicking(clickmilter.httpPort, urls);
  releases.push(() => load.stop());
  for (let round = 1; round <= 4; round++) {
    const wanted = load.answered.size + 300 * round;
    await poll('clicks to be answered', () => load.answered.size >= wanted, 30_000);
    await clickmilter.kill();
    await clickmilter.start();
  }
  await load.stop();
  const events = clickmilter.journal() as unknown as ClickEvent[];
  expect(load.answered.size).toBeGreaterThanOrEqual(3000);
  expect(missingFrom(agentsOf(events), load.answered)).toEqual([]);
  expect(new Set(idsOf(events)).size).toBe(events.length);
  // What was kept and not answered was on its way when the process ended.
  expect(events.length - load.answered.size).toBeLessThanOrEqual(4 * 16);
  expect(load.outcomes.get('503')).toBeUndefined();
  expect([...new Set(events.slice(0, 500).flatMap(schemaErrors))]).toEqual([]);
  const report = new FileReport(join(clickmilter.dir, 'var', 'events'));
  const counted = async () => (await report.report({ by: 'day' })).total.clicks;
  await poll('all to be counted', async () => (await counted()) >= events.length, 30_000);
  expect(await counted()).toBe(events.length);
}, 240_000);

describe('with Redis', () => {
  let redis: Redis;

  async function withRedis(settings = ''): Promise<Service> {
    redis = await startRedis();
    releases.push(() => redis.stop());
    return service(
      `link_store = "redis"\nredis { url = "${redis.url}"  command_timeout = 0.3 }\n${settings}`,
    );
  }

  const pending = (of: Service) =>
    readdirSync(join(of.dir, 'var', 'events')).filter((name) => name.startsWith('pending-'));

  test('that hangs while two workers are under load, and a kill -9 meanwhile: all clicks come to the stream', async () => {
    const clickmilter = await withRedis('workers = 2');
    const urls = await sealedLinks(clickmilter);
    const load = startClicking(clickmilter.httpPort, urls);
    releases.push(() => load.stop());
    const more = async (clicks: number) => {
      const wanted = load.answered.size + clicks;
      await poll('clicks to be answered', () => load.answered.size >= wanted, 30_000);
    };
    await more(500);
    redis.pause();
    await more(500);
    expect(pending(clickmilter).length).toBeGreaterThan(0);
    await clickmilter.kill();
    await clickmilter.start();
    await more(500);
    redis.resume();
    await more(500);
    await load.stop();
    await poll('the journal to be replayed', () => pending(clickmilter).length === 0, 30_000);
    const printed = await runCli(['--config', clickmilter.configFile, 'events']);
    expect(printed.stderr).toBe('');
    const events = parse(printed.stdout.toString());
    expect(missingFrom(agentsOf(events), load.answered)).toEqual([]);
    expect(load.outcomes.get('503')).toBeUndefined();
  });

  test('events --follow shows them as they come, and waits for Redis when it is away', async () => {
    const clickmilter = await withRedis();
    const [first = '', second = ''] = await sealedLinks(clickmilter);
    const args = ['--config', clickmilter.configFile, 'events', '--follow'];
    const cli = join(import.meta.dirname, '../../../src/cli.ts');
    const following = spawn(process.execPath, ['--import', 'tsx', cli, ...args]);
    releases.push(() => following.kill('SIGKILL'));
    let [output, errors] = ['', ''];
    following.stdout.on('data', (chunk) => (output += chunk));
    following.stderr.on('data', (chunk) => (errors += chunk));
    expect((await follow(clickmilter.httpPort, first)).status).toBe(302);
    await poll('the first event', () => parse(output).length === 1);
    await redis.kill();
    await poll('a word about Redis', () => errors.includes('waiting for it'), 20_000);
    await redis.start();
    expect((await follow(clickmilter.httpPort, second)).status).toBe(302);
    await poll('the second event', () => parse(output).length === 2, 30_000);
    expect(parse(output).map(({ msys }) => msys.track_event.target_link_url)).toEqual([
      'https://example.org/0',
      'https://example.org/1',
    ]);
    const ended = new Promise((resolve) => following.once('exit', resolve));
    following.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});

test('disk full: mail goes on, people are redirected, the log says so, and it goes on when there is room', async () => {
  const disk = await mkdtemp(join(tmpdir(), 'clickmilter-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
  releases.push(async () => {
    execFileSync('umount', ['-l', disk]);
    await rm(disk, { recursive: true, force: true });
  });
  const journal = join(disk, 'events');
  await mkdir(journal);
  const clickmilter = await service(`link_store = "sealed"\nevents { journal = "${journal}" }`);
  const [url = ''] = await sealedLinks(clickmilter);
  const click = () => follow(clickmilter.httpPort, url);
  expect((await click()).status).toBe(302);

  await writeFile(join(disk, 'filler'), Buffer.alloc(1024 * 1024)).catch(() => undefined);
  // What is left of the page the file ends in is filled by clicks.
  await poll(
    'the log to say so',
    async () => {
      expect(await click()).toEqual({ status: 302, location: 'https://example.org/0' });
      return clickmilter.output().includes('the journal cannot be written');
    },
    30_000,
  );
  const mta = await connectMilter({ port: clickmilter.milterPort });
  const sent = await mta.send({ message: Buffer.from('\r\nhttps://example.org/0\r\n') });
  await mta.quit();
  const [sentMeanwhile = ''] = /http:\S+/.exec(sent.message.toString()) ?? [];
  expect((await follow(clickmilter.httpPort, sentMeanwhile)).status).toBe(302);
  await rm(join(disk, 'filler'));
  await poll(
    'the journal to go on',
    async () => {
      await click();
      await sleep(50);
      return clickmilter.output().includes('the journal can be written again');
    },
    30_000,
  );
  const lines = readdirSync(journal)
    .filter((name) => name.startsWith('events-'))
    .flatMap((name) => readFileSync(join(journal, name), 'utf8').split('\n').slice(0, -1));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.flatMap((line) => schemaErrors(JSON.parse(line)))).toEqual([]);
});
