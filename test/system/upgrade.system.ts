import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { type InstalledProgram, installProgram } from '../helpers/installed-program.ts';
import { type PeerProcess, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { startWebhookServer } from '../helpers/webhook-server.ts';

// A service whose program files are removed, or replaced by others, while it runs.

let folder: string;
let config: string;
let program: InstalledProgram;
let service: PeerProcess | undefined;
let webhook: Awaited<ReturnType<typeof startWebhookServer>>;
let ports: { milter: number; http: number; control: number };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-upgrade-'));
  config = join(folder, 'clickmilter.conf');
  program = installProgram(folder);
  webhook = await startWebhookServer();
  ports = { milter: await freePort(), http: await freePort(), control: await freePort() };
});
afterEach(async () => {
  await service?.stop(20_000);
  service = undefined;
  await webhook.close();
  rmSync(folder, { recursive: true });
});

function configure(workers: number, level: string): void {
  writeFileSync(
    config,
    `workers = ${workers}
     state_directory = "${folder}/var"
     log { format = json  level = ${level} }
     Milter_Listener { Listen "127.0.0.1:${ports.milter}" { }  drain_timeout = 1 }
     HTTP_Listener { Listen "127.0.0.1:${ports.http}" { } }
     Control_Listener { Listen "127.0.0.1:${ports.control}" { } }
     events { webhook = "${webhook.url}"  webhook_interval = 0.1 }
     ESMTP_Listener { click_tracking_enabled = on }\n`,
  );
}

async function start(workers: number): Promise<PeerProcess> {
  configure(workers, 'info');
  const args = [program.path, '--config', config, 'run'];
  const started = startPeer(process.execPath, args);
  service = started;
  await poll(
    'it to serve',
    () => {
      if (!started.running) throw new Error(started.output());
      return started.output().includes('smtpd_milters');
    },
    60_000,
  );
  return started;
}

function workersOf({ pid }: PeerProcess): number[] {
  const found = execFileSync('pgrep', ['-P', String(pid), '-f', 'cli.js'], { encoding: 'utf8' });
  return found.trim().split('\n').map(Number);
}

/** A message of each kind of part, and a click on its link. */
async function mailAndClick(): Promise<void> {
  const client = await connectMilter({ port: ports.milter });
  const message = Buffer.from(
    [
      'Content-Type: multipart/alternative; boundary=b',
      '',
      '--b',
      'Content-Type: text/plain; charset=iso-8859-2',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'https://example.com/text =B1',
      '--b',
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from('<a href="https://example.com/html">x</a>').toString('base64'),
      '--b--',
      '',
    ].join('\r\n'),
  );
  const { message: sent } = await client.send({ message });
  await client.quit();
  const [link = ''] =
    /http:\/\/localhost:8080\/\S+/.exec(String(sent).replaceAll('=\r\n', '')) ?? [];
  expect(await follow(ports.http, link)).toEqual({
    status: 302,
    location: 'https://example.com/text',
  });
}

const control = async (path: string) =>
  (await fetch(`http://127.0.0.1:${ports.control}${path}`)).text();

/** Has it do for the first time what may need something that is not loaded yet. */
async function exercise(running: PeerProcess, workers: number): Promise<void> {
  await mailAndClick();
  await poll('the webhook', () => webhook.batches.some(({ events }) => events.length > 0), 60_000);
  expect((await follow(ports.http, 'http://localhost/')).status).toBe(200);
  expect((await follow(ports.http, 'http://localhost/nothing')).status).toBe(404);
  const noMilter = await fetch(`http://127.0.0.1:${ports.milter}/`).catch(String);
  expect(noMilter).toContain('fetch failed');
  expect(await control('/readyz')).toBe('ready\n');
  expect(await control('/metrics')).toContain('clickmilter_redirects_total{status="302"');
  expect(JSON.parse(await control('/config')).processes).toHaveLength(workers === 1 ? 1 : 3);

  configure(workers, 'debug');
  running.signal('SIGHUP');
  await poll('the reload', () => running.output().includes('"reloaded"'), 60_000);
  writeFileSync(config, 'worker = 2');
  running.signal('SIGHUP');
  await poll('the refusal', () => running.output().includes('not reloaded'), 60_000);
  await mailAndClick();
}

describe.each([1, 2])('workers = %d', (workers) => {
  test('the program files are gone: all goes on', async () => {
    const running = await start(workers);
    program.remove();
    await exercise(running, workers);
    expect(running.output()).not.toMatch(/Cannot find|ENOENT|MODULE_NOT_FOUND/);
    running.signal('SIGTERM');
    expect(await running.exited).toBe(0);
  }, 120_000);
});

describe('a worker that starts after an upgrade', () => {
  const replaced = async (running: PeerProcess) => {
    const [one = 0] = workersOf(running);
    process.kill(one, 'SIGKILL');
    await poll('its end', () => !existsSync(`/proc/${one}`), 60_000);
  };
  const died = ({ output }: PeerProcess) =>
    output()
      .split('\n')
      .filter((line) => line.includes('"event":"died"'))
      .map((line) => JSON.parse(line));

  test('runs the new program with the configuration in use', async () => {
    const running = await start(2);
    writeFileSync(config, 'errors = yes');
    program.replace();
    const before = workersOf(running);
    await replaced(running);
    await poll('its successor', () => workersOf(running).length === 2, 60_000);
    await poll(
      'metrics of it',
      async () => {
        const { processes } = JSON.parse(await control('/config'));
        return processes.length === 3;
      },
      60_000,
    );
    expect(workersOf(running)).not.toEqual(before);
    for (let times = 0; times < 10; times++) await mailAndClick();
    expect(died(running)).toHaveLength(1);
  }, 120_000);

  test.each<[string, () => void]>([
    ['that is gone', () => program.remove()],
    ['that is half there', () => rmSync(join(folder, 'program/dist/milter'), { recursive: true })],
    [
      'that wants another configuration',
      () => {
        const load = join(folder, 'program/dist/config/load.js');
        const text = readFileSync(load, 'utf8');
        expect(text).toContain('{ file, started, latest }');
        writeFileSync(
          load,
          text.replace('{ file, started, latest }', '{ file, started: { latest } }'),
        );
      },
    ],
  ])(
    'or cannot run one %s: it is tried again, less often each time, and the others serve',
    async (_, change) => {
      const running = await start(2);
      change();
      await replaced(running);
      await poll('some attempts', () => died(running).length >= 3, 60_000);
      const delays = died(running).map(({ retryMs }) => retryMs);
      expect(delays).toEqual(delays.map((_, index) => Math.min(100 * 2 ** index, 30_000)));
      await mailAndClick();

      program.replace();
      await poll(
        'a successor',
        () => control('/config').then((said) => JSON.parse(said).processes.length === 3),
        60_000,
      );
      await mailAndClick();
      for (const line of running.output().split('\n')) expect(line.length).toBeLessThan(1_000);
    },
    180_000,
  );
});
