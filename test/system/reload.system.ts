import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter, type MilterClient } from '../../src/milter/client.ts';
import { poll } from '../helpers/poll.ts';
import { type Service, startService } from '../helpers/service.ts';

// SIGHUP: parse, check, swap at once; keep the old configuration on any error; connections stay.

let service: Service;
let client: MilterClient;

beforeAll(async () => {
  service = await startService('workers = 2\n# tracking\n');
  client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
});
afterAll(async () => {
  await client.quit();
  await service.stop();
});

const message = Buffer.from('Subject: x\r\n\r\nhttps://example.com/\r\n');
const isTracked = async () => (await client.send({ message })).modifications.length > 0;

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

test('and once the error is gone, the new one', async () => {
  await reload('click_tracking_enabled = maybe', 'click_tracking_enabled = off', /"reloaded"/);
  expect(await isTracked()).toBe(false);
});

test('what needs a restart is said', async () => {
  await reload('workers = 2', 'workers = 3', /"changed":\["workers"\]/);
});
