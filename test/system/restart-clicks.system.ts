import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { builtProgram } from '../helpers/built-program.ts';
import { freePort } from '../helpers/free-port.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Activated, activate } from '../helpers/socket-activation.ts';
import { startWebhookServer } from '../helpers/webhook-server.ts';

// Clicks, keys and the delivery of events, while old workers finish what they have begun.

let folder: string;
let config: string;
let milter: number;
let http: number;
let service: Activated | undefined;
let redis: Redis | undefined;
let webhook: Awaited<ReturnType<typeof startWebhookServer>>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-clicks-'));
  config = join(folder, 'clickmilter.conf');
  [milter, http] = [await freePort(), await freePort()];
  webhook = await startWebhookServer();
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await redis?.stop();
  redis = undefined;
  await webhook.close();
  rmSync(folder, { recursive: true });
});

async function start(settings: string): Promise<Activated> {
  writeFileSync(
    config,
    `state_directory = "${folder}/var"
     log { format = json }
     Control_Listener { enable = off }
     ESMTP_Listener { click_tracking_enabled = on }
     ${settings}\n`,
  );
  const command = [process.execPath, builtProgram, '--config', config, 'run', '--hand-over'];
  service = await activate({ milter, redirect: http }, command);
  await service.start();
  return service;
}

async function links(count: number): Promise<string[]> {
  const client = await connectMilter({ port: milter });
  const urls = Array.from({ length: count }, (_, index) => `https://example.com/${index}`);
  const { message } = await client.send({
    message: Buffer.from(`Subject: x\r\n\r\n${urls.join('\r\n')}\r\n`),
  });
  await client.quit();
  return message.toString().match(/http:\/\/\S+/g) ?? [];
}

/** Follows a link on a connection of the agent. */
function follow(link: string, agent: Agent): Promise<number> {
  const { host, pathname } = new URL(link);
  return new Promise((resolve, reject) => {
    request({ port: http, host: '127.0.0.1', path: pathname, headers: { host }, agent }, (answer) =>
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0)),
    )
      .once('error', reject)
      .end();
  });
}

test.each(['sealed', 'redis'])(
  'restarts under load: each click is answered and delivered once, links %s',
  async (store) => {
    if (store === 'redis') redis = await startRedis();
    const running = await start(
      `workers = 2
       ${redis ? `link_store = redis\nredis { url = "${redis.url}" }` : ''}
       events { webhook = "${webhook.url}"  webhook_interval = 1 }`,
    );
    const all = await links(600);
    expect(all).toHaveLength(600);
    const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const statuses: number[] = [];
    const queue = [...all];
    let restarting = true;
    const readers = agents.map(async (agent) => {
      for (let link = queue.pop(); link !== undefined; link = queue.pop()) {
        statuses.push(await follow(link, agent));
        // As many as there are last until the restarts are over.
        if (restarting) await new Promise((resolve) => setTimeout(resolve, 40));
      }
    });
    await poll('clicks', () => statuses.length > 20);
    await running.restart();
    await poll('clicks', () => webhook.batches.length > 1, 30_000);
    await running.restart();
    restarting = false;
    await Promise.all(readers);
    expect([...new Set(statuses)]).toEqual([302]);

    const ids = () =>
      webhook.batches.flatMap(({ events }) =>
        events.map((event) => event.msys.track_event.event_id),
      );
    await poll('all events', () => new Set(ids()).size >= all.length, 30_000);
    expect(ids()).toHaveLength(all.length);
    for (const agent of agents) agent.destroy();
  },
  120_000,
);

test('a key added after a restart opens links on connections that the old worker still has', async () => {
  const running = await start('workers = 1');
  const [first = ''] = await links(1);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await follow(first, agent)).toBe(302);
  // Its connection stays with the old worker, for one more request.
  await running.restart();
  expect((await runCli(['-c', config, 'keygen'])).code).toBe(0);
  running.signal('SIGHUP');
  await poll('the reload', () => running.output().includes('"reloaded"'), 30_000);
  const [second = ''] = await links(1);
  await new Promise((resolve) => setTimeout(resolve, 11_000)); // until the old worker has looked
  expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
  expect(await follow(second, agent)).toBe(302);
  agent.destroy();
}, 60_000);
