import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { type InstalledProgram, installProgram } from '../helpers/installed-program.ts';
import { openIdleSessions } from '../helpers/mail-load.ts';
import { startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { slowness } from '../helpers/slowness.ts';
import { send, smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { type Activated, activate } from '../helpers/socket-activation.ts';

// What a restart, a reload, an upgrade, a stop and a kill cost: mail from a real Postfix, with sessions that were open before,
// and readers who follow links.

const MESSAGE = 'Subject: x\r\n\r\nhttps://example.com/\r\n';

let folder: string;
let config: string;
let program: InstalledProgram;
let http: number;
let service: Activated | undefined;
let postfix: Postfix | undefined;
let catcher: MailCatcher;
const old = new Set<number>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-restart-'));
  await chmod(folder, 0o755);
  config = join(folder, 'clickmilter.conf');
  http = await freePort();
  catcher = await catchMail();
  program = installProgram(folder);
});
afterEach(async () => {
  await postfix?.stop();
  postfix = undefined;
  await service?.close();
  service = undefined;
  for (const pid of old) if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
  old.clear();
  await catcher.stop();
  rmSync(folder, { recursive: true });
});

function configure(workers: number, settings = ''): void {
  writeFileSync(
    config,
    `workers = ${workers}
     state_directory = "${folder}/var"
     log { format = json }
     Control_Listener { enable = off }
     ESMTP_Listener { click_tracking_enabled = on }
     ${settings}\n`,
  );
}

const command = () => [process.execPath, program.path, '--config', config, 'run', '--hand-over'];

/** How long the program takes to load at the moment, without a configuration, in milliseconds. */
async function loadMs(): Promise<number> {
  const begun = performance.now();
  const service = join(folder, 'program/dist/service/service.js');
  await once(spawn(process.execPath, [service], { stdio: 'inherit' }), 'exit');
  return performance.now() - begun;
}

/** Processes whose parent is this one: the workers, which will be nobody's children soon. */
function remember(primary: number): number[] {
  const found = execFileSync('pgrep', ['-P', String(primary), '-f', 'cli.js'], {
    encoding: 'utf8',
  });
  const pids = found.trim().split('\n').map(Number);
  for (const pid of pids) old.add(pid);
  return pids;
}

/** New sessions with a message each, one session with many, and readers who click, until it is ended. */
function startTraffic({ port }: Postfix, link: string) {
  let ended = false;
  const codes: number[] = [];
  const statuses: number[] = [];
  let slowest = 0;
  const timed = async (work: () => Promise<number>, to: number[]) => {
    const begun = performance.now();
    to.push(await work());
    slowest = Math.max(slowest, performance.now() - begun);
  };
  const loop = async (work: () => Promise<unknown>) => {
    while (!ended) await work();
  };
  const loops = [
    loop(() => timed(async () => (await send(port(), MESSAGE)).code, codes)),
    loop(() => timed(async () => (await send(port(), MESSAGE)).code, codes)),
    (async () => {
      const client = await smtpConnect(port());
      await client.command('EHLO sender.test');
      await loop(() => timed(async () => (await transaction(client, MESSAGE)).code, codes));
      await client.quit();
    })(),
    loop(() => timed(async () => (await follow(http, link)).status, statuses)),
  ];
  return {
    codes,
    statuses,
    async end() {
      ended = true;
      await Promise.all(loops);
      return { slowest, mails: codes.length, clicks: statuses.length };
    },
  };
}

async function trackedLink(running: Postfix): Promise<string> {
  expect((await send(running.port(), MESSAGE)).code).toBe(250);
  const { raw } = await catcher.take();
  return /http:\/\/localhost\S+/.exec(raw.toString('latin1'))?.[0] ?? expect.fail('not tracked');
}

/** What happens to the service while mail and clicks come. */
const acts = [
  {
    what: 'two restarts',
    act: async (service: Activated) => {
      await service.restart();
      remember(service.pid);
      await service.restart();
    },
  },
  {
    what: 'an upgrade',
    act: async (service: Activated) => {
      program.replace();
      await service.restart();
    },
  },
  {
    what: 'two reloads',
    act: async (service: Activated, workers: number) => {
      for (let times = 1; times <= 2; times++) {
        configure(workers, `pathway "p${times}" { click_tracking_enabled = on }`);
        service.signal('SIGHUP');
        await poll('the reload', () => service.output().split('"reloaded"').length > times);
      }
    },
  },
  {
    what: 'kill -9 of the primary',
    act: async (service: Activated) => {
      service.signal('SIGKILL');
      await service.ended();
      await service.start();
    },
  },
];

const kinds = [1, 2].flatMap((workers) =>
  (['TCP', 'unix'] as const).map((kind) => ({ workers, kind })),
);

describe.each(kinds)(
  'workers = $workers, $kind socket, systemd holds the sockets',
  ({ workers, kind }) => {
    let link: string;
    let running: { service: Activated; postfix: Postfix };

    beforeEach(async () => {
      configure(workers);
      const path = join(folder, 'milter.sock');
      const milter = kind === 'unix' ? path : await freePort();
      service = await activate({ milter, redirect: http }, command());
      await service.start();
      const milters = kind === 'unix' ? `unix:${path}` : `inet:127.0.0.1:${milter}`;
      postfix = await startPostfix({ deliverTo: catcher.port, milters });
      running = { service, postfix };
      link = await trackedLink(postfix);
    }, 60_000);

    // Each with both counts of workers and both kinds of sockets; a restart, as such or by an upgrade, with all four pairs.
    const isPlain = (workers === 1) === (kind === 'TCP');
    test.each(acts.filter((_, n) => (n % 2 === 1) === isPlain))(
      '$what: no mail and no click is refused, none waits long',
      async ({ act }) => {
        const { service, postfix } = running;
        const before = remember(service.pid);
        const sessions = await openIdleSessions(postfix.port());
        const traffic = startTraffic(postfix, link);
        const { codes, statuses } = traffic;
        await poll('traffic', () => Math.min(codes.length, statuses.length) > 5, 60_000);

        const slower = [await slowness()];
        await act(service, workers);
        slower.push(await slowness());
        const now = codes.length;
        await poll('traffic afterwards', () => codes.length > now + 10, 60_000);
        const { slowest, mails } = await traffic.end();
        expect([...new Set(codes)]).toEqual([250]);
        expect([...new Set(statuses)]).toEqual([302]);
        expect(slowest).toBeLessThan(5_000 * Math.max(...slower));

        for (const { state, finish } of sessions) {
          expect({ state, code: await finish() }).toEqual({ state, code: 250 });
        }

        // That of the link was taken; one session had sent one before.
        const sent = mails + sessions.length + 1;
        await poll('all mail', () => catcher.mails.length >= sent, 30_000);
        expect(catcher.mails).toHaveLength(sent);
        const untracked = catcher.mails.filter(({ raw }) => raw.includes('https://example.com/'));
        expect(untracked).toHaveLength(0);
        const now2 = remember(service.pid);
        for (const pid of [...old].filter((pid) => !now2.includes(pid))) {
          await poll(`the end of ${pid}`, () => !existsSync(`/proc/${pid}`), 60_000);
        }
        expect(before.every((pid) => !existsSync(`/proc/${pid}`) || now2.includes(pid))).toBe(true);
      },
      240_000,
    );

    test('a stop, the program files gone: open sessions go on to their end', async () => {
      const { service, postfix } = running;
      const workersBefore = remember(service.pid);
      const sessions = await openIdleSessions(postfix.port());
      program.remove();
      service.signal('SIGTERM');
      expect(await service.ended()).toBe(0);
      for (const { state, finish } of sessions) {
        expect({ state, code: await finish() }).toEqual({ state, code: 250 });
      }
      for (const pid of workersBefore) {
        await poll(`the end of ${pid}`, () => !existsSync(`/proc/${pid}`), 60_000);
      }
      expect(service.output()).not.toMatch(/"level":[56]0|Error/);
    }, 60_000);
  },
);

describe.each(kinds)(
  'workers = $workers, $kind socket, the service listens itself',
  ({ workers, kind }) => {
    test('a restart: open sessions go on, and nobody listens for about as long as the program loads', async () => {
      const path = join(folder, 'milter.sock');
      const port = await freePort();
      const listen = kind === 'unix' ? `"${path}" { File_Mode = 0666 }` : `"127.0.0.1:${port}" { }`;
      configure(
        workers,
        `Milter_Listener { Listen ${listen} }\nHTTP_Listener { Listen "127.0.0.1:${http}" { } }`,
      );
      const start = async () => {
        const [file = '', ...args] = command();
        const peer = startPeer(file, args);
        await poll('it to serve', () => {
          if (!peer.running) throw new Error(peer.output());
          return peer.output().includes('smtpd_milters');
        });
        remember(peer.pid);
        return peer;
      };
      const first = await start();
      const milters = kind === 'unix' ? `unix:${path}` : `inet:127.0.0.1:${port}`;
      postfix = await startPostfix({ deliverTo: catcher.port, milters });
      const sessions = await openIdleSessions(postfix.port());

      const loads = [await loadMs()];
      const watch = watchListener(kind === 'unix' ? { path } : { port });
      first.signal('SIGTERM');
      expect(await first.exited).toBe(0);
      const second = await start();
      const { longestGap } = await watch.end();
      remember(second.pid);
      loads.push(await loadMs());
      console.log(
        `nobody listened for ${Math.round(longestGap)} ms; the program loads in ${loads.map(Math.round)} ms`,
      );
      // With workers it loads twice, and other programs may disturb that. A wait for sessions takes 30 s.
      expect(longestGap).toBeLessThan(20 * Math.max(...loads));

      expect((await send(postfix.port(), MESSAGE)).code).toBe(250);
      for (const { state, finish } of sessions) {
        expect({ state, code: await finish() }).toEqual({ state, code: 250 });
      }
      await second.stop();
      for (const pid of old) {
        await poll(`the end of ${pid}`, () => !existsSync(`/proc/${pid}`), 60_000);
      }
    }, 90_000);
  },
);

test('a worker left over ends within drain_timeout when it is told to', async () => {
  configure(1, 'Milter_Listener { drain_timeout = 1 }');
  const port = await freePort();
  service = await activate({ milter: port, redirect: http }, command());
  await service.start();
  postfix = await startPostfix({ deliverTo: catcher.port, milters: `inet:127.0.0.1:${port}` });
  const client = await smtpConnect(postfix.port());
  await client.command('EHLO sender.test');
  const [worker = 0] = remember(service.pid);
  service.signal('SIGTERM');
  await service.ended();
  expect(existsSync(`/proc/${worker}`)).toBe(true);
  process.kill(worker, 'SIGTERM');
  await poll('its end', () => !existsSync(`/proc/${worker}`), 60_000);
  expect(service.output()).toContain('SMTP sessions cut off');
  await client.quit();
}, 60_000);

test('a worker left over ends after idle_timeout and drain_timeout, however busy its session', async () => {
  configure(1, 'Milter_Listener { idle_timeout = 2  drain_timeout = 1 }');
  const port = await freePort();
  service = await activate({ milter: port, redirect: http }, command());
  await service.start();
  const client = await connectMilter({ port });
  const [worker = 0] = remember(service.pid);
  let sent = 0;
  const sending = (async () => {
    const message = Buffer.from(MESSAGE);
    for (;;) {
      await client.send({ message });
      sent += 1;
    }
  })().catch(String);
  await poll('messages', () => sent > 0);
  service.signal('SIGTERM');
  await service.ended();
  const before = sent;
  await poll('messages afterwards', () => sent > before + 10);
  await poll('its end', () => !existsSync(`/proc/${worker}`), 60_000);
  expect(await sending).toMatch(/closed|ended|ECONNRESET|EPIPE/);
  expect(service.output()).toMatch(/"sessions":1.*"finishing SMTP sessions"/);
}, 120_000);

/** Connects all the time, and measures how long that fails. */
function watchListener(where: net.NetConnectOpts) {
  let ended = false;
  let longestGap = 0;
  const loop = async () => {
    let failingSince: number | undefined;
    while (!ended) {
      const listens = await new Promise<boolean>((resolve) => {
        const socket = net.connect(where);
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
      if (listens) failingSince = undefined;
      else {
        failingSince ??= performance.now();
        longestGap = Math.max(longestGap, performance.now() - failingSince);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { longestGap };
  };
  const running = loop();
  return {
    end() {
      ended = true;
      return running;
    },
  };
}
