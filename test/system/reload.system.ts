import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter, type MilterClient } from '../../src/milter/client.ts';
import type { Transaction } from '../../src/milter/client-transaction.ts';
import { follow } from '../helpers/follow.ts';
import { launch } from '../helpers/launch.ts';
import { poll } from '../helpers/poll.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// SIGHUP: parse, check, swap at once; keep the old configuration on any error; connections stay.

let service: Service;
let client: MilterClient;
let temporary: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'clickmilter-reload-'));
  service = await startService(
    'workers = 2\nmacros { pathway = "{shop}" }\n# tracking\n# pathways\n',
    { env: { TMPDIR: temporary } },
  );
  client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
});
afterAll(async () => {
  await client.quit();
  await service.stop();
  await rm(temporary, { recursive: true });
});

const message = Buffer.from('Subject: x\r\n\r\nhttps://example.com/\r\n');
const send = (transaction: Partial<Transaction> = {}) => client.send({ message, ...transaction });
const isTracked = async () => (await send()).modifications.length > 0;

async function reload(from: string, to: string, said: RegExp): Promise<void> {
  const text = await readFile(service.configFile, 'utf8');
  await writeFile(service.configFile, text.replace(from, to));
  const before = service.output().length;
  service.signal('SIGHUP');
  await poll(`${said} in the log`, () => said.test(service.output().slice(before)));
}

test('a new configuration counts from the next message on, on connections that stay', async () => {
  expect(await isTracked()).toBe(false);
  await reload('# tracking', 'ESMTP_Listener { click_tracking_enabled = on }', /"reloaded"/);
  expect(await isTracked()).toBe(true);
});

test('with any error the old one stays in use, and the log says where the error is', async () => {
  await reload('click_tracking_enabled = on', 'click_tracking_enabled = maybe', /not reloaded/);
  expect(service.output()).toMatch(/clickmilter\.conf:\d+:\d+: .*maybe/);
  expect(await isTracked()).toBe(true);
});

test('workers that start later have the configuration in use, whatever stands in the file', async () => {
  const ready = () => service.log().filter(({ event }) => event === 'ready');
  const before = ready();
  expect(before).toHaveLength(2);
  await client.quit();
  for (const { workerPid } of before) process.kill(Number(workerPid), 'SIGKILL');
  await poll('two new workers', () => ready().length === 4);
  client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  expect(await isTracked()).toBe(true);
  // Where it would be removed after some days, and stay after a kill -9.
  expect(await readdir(temporary)).toEqual([]);
});

test('and once the error is gone, the new one; links already sent outlive the switching off', async () => {
  const sent = await trackedLink();
  await reload('click_tracking_enabled = maybe', 'click_tracking_enabled = off', /"reloaded"/);
  expect(await isTracked()).toBe(false);
  expect(await follow(service.httpPort, sent)).toMatchObject({ status: 302 });
});

test('what needs a restart is said, and stays as it was', async () => {
  await reload('# pathways', 'pathway "a" { click_tracking_enabled = on }', /"reloaded"/);
  const isShopTracked = async () =>
    (await send({ macros: { mail: { '{shop}': 'a' } } })).modifications.length > 0;
  expect(await isShopTracked()).toBe(true);
  await reload('workers = 2', 'workers = 3', /"changed":\["workers"\]/);
  await reload('"{shop}"', '"{customer}"', /"changed":\["macros > pathway","workers"\]/);
  expect(await isShopTracked()).toBe(true);
});

test('a new key seals from then on, and links of the old one are still opened', async () => {
  await reload('click_tracking_enabled = off', 'click_tracking_enabled = on', /"reloaded"/);
  const old = await trackedLink();
  const said = await runCli(['-c', service.configFile, 'keygen']);
  expect(said.code).toBe(0);
  const [, id] = /^key (\w\w) added/.exec(said.stdout.toString()) ?? [];
  await reload('', '', /"reloaded"/);
  const young = await trackedLink();
  expect([keyOf(old) === id, keyOf(young) === id]).toEqual([false, true]);
  for (const url of [old, young]) {
    expect(await follow(service.httpPort, url)).toMatchObject({ status: 302 });
  }
});

test('keys that cannot be read leave the old ones in use, and one short line says why', async () => {
  const keyFile = join(service.dir, 'var/keys');
  const keys = await readFile(keyFile, 'utf8');
  await writeFile(keyFile, `${keys}nonsense\n`);
  await reload('', '', /reload failed/);
  await writeFile(keyFile, keys);
  expect(
    service.log().filter(({ msg, level }) => level === 50 && /^reload failed/.test(String(msg))),
  ).toEqual([expect.objectContaining({ reason: expect.stringMatching(/not a sealing key/) })]);
  expect(service.log().filter((line) => line['level'] === 50 && 'err' in line)).toEqual([]);
});

test('the level of the log is taken over', async () => {
  const tracked = () => service.log().filter(({ verdict }) => verdict === 'tracked');
  const lineOfOneMore = async () => {
    const before = tracked().length;
    await send();
    return poll('the log line', () => tracked()[before]);
  };
  expect(await lineOfOneMore()).toHaveProperty('links');
  await reload('level = debug', 'level = info', /"reloaded"/);
  expect(await lineOfOneMore()).not.toHaveProperty('links');
});

test('a SIGHUP while the service starts does not end it, and counts once it serves', async () => {
  const { starting } = await launch('workers = 2');
  await poll('a worker', () => spawnSync('pgrep', ['-P', String(starting.pid)]).status === 0);
  starting.signal('SIGHUP');
  await poll('the reload', () => !starting.running || starting.output().includes('"reloaded"'));
  expect(starting.output()).toMatch(/smtpd_milters.*"reloaded"/s);
});

test('no line of the log says a key twice', () => {
  const lines = service
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.filter((line) => JSON.stringify(JSON.parse(line)) !== line)).toEqual([]);
});

async function trackedLink(): Promise<string> {
  const [url] = /http:\/\/\S+/.exec((await send()).message.toString()) ?? [];
  return url ?? expect.fail('not tracked');
}

/** The id of the key that sealed a link: the byte after the kind of the token. */
function keyOf(url: string): string {
  const token = new URL(url).pathname.slice(1);
  return Buffer.from(token.slice(1, 5), 'base64url').toString('hex', 0, 1);
}
