import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';

const SCOPE = 'ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "click.test" }';

/** SMFIC_OPTNEG of Postfix: version 6, actions 0x1ff, protocol 0x1fffff. */
const NEGOTIATION = Buffer.from('0000000d4f00000006000001ff001fffff', 'hex');

let folder: string;
let milterPort: number;
let catcher: MailCatcher;
let postfix: Postfix;
let service: Service;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'faults-'));
  milterPort = await freePort();
  catcher = await catchMail();
  postfix = await startPostfixAsking();
}, 60_000);
afterAll(async () => {
  await postfix?.stop();
  await catcher?.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => service?.stop());

function startPostfixAsking(): Promise<Postfix> {
  const milters = `{inet:127.0.0.1:${milterPort},default_action=tempfail,command_timeout=5s}`;
  return startPostfix({ deliverTo: catcher.port, milters });
}

async function start(settings = '', env: Record<string, string> = {}): Promise<void> {
  service = await startService(`${SCOPE}\n${settings}`, { milter: `127.0.0.1:${milterPort}`, env });
}

let count = 0;

/** Sends a message through Postfix; the reply's code, and where the message's link leads once it has arrived. */
async function mail(): Promise<{ code: number; url: string | undefined; target: string }> {
  const id = `n${++count}`;
  const target = `https://example.com/${id}`;
  const message = `From: a@sender.test\r\nTo: ${id}@example.net\r\nContent-Type: text/html\r\n\r\n<a href="${target}">x</a>\r\n`;
  const { code } = await send(postfix.port(), message, { to: `${id}@example.net` });
  if (code !== 250) return { code, url: undefined, target };
  const { raw } = await catcher.take(({ to }) => to[0] === `${id}@example.net`);
  const [url] = /http:\/\/click\.test\/[\w-]+/.exec(raw.toString()) ?? [];
  return { code, url, target };
}

async function expectTracked(): Promise<string> {
  const { code, url, target } = await mail();
  expect(code).toBe(250);
  expect(url, 'the message is not tracked').toBeDefined();
  expect(await follow(service.httpPort, url ?? '')).toEqual({ status: 302, location: target });
  return url ?? '';
}

test('kill -9 of a worker: the other one serves, a new one comes, and nothing is lost', async () => {
  await start('workers = 2');
  const workers = () =>
    execFileSync('pgrep', ['-P', String(service.pid), '-f', 'cli.js'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  const [victim] = workers();
  const replies: number[] = [];
  let over = false;
  const traffic = (async () => {
    while (!over) replies.push((await mail()).code);
  })();
  await poll('mail to flow', () => replies.length > 2);
  process.kill(victim ?? 0, 'SIGKILL');
  await poll('the death in the log', () => service.log().some((line) => line['event'] === 'died'));
  await poll('a successor', () => workers().length === 2 && !workers().includes(victim ?? 0));
  const then = replies.length;
  await poll('mail to flow on', () => replies.length > then + 2);
  over = true;
  await traffic; // every 250 has arrived, or `mail` would have failed
  expect(replies.filter((code) => code !== 250 && code !== 451)).toEqual([]);
  expect(await postfix.corrupt()).toEqual([]);
  await expectTracked();
});

test('no file descriptors left: mail is deferred or untouched, and tracked again afterwards', async () => {
  await start('link_store = sealed');
  await expectTracked();
  const used = readdirSync(`/proc/${service.pid}/fd`).length;
  const limit = used + 20;
  execFileSync(requireProgram('prlimit', 'util-linux'), [
    `--pid=${service.pid}`,
    `--nofile=${limit}:${limit}`,
  ]);
  const sockets = Array.from({ length: 60 }, () => net.connect(milterPort, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => {});
  await poll(
    'descriptors to be used up',
    () => readdirSync(`/proc/${service.pid}/fd`).length >= limit - 1,
  );
  const { code, url } = await mail();
  expect(url === undefined ? [250, 451] : [250]).toContain(code);
  for (const socket of sockets) socket.destroy();
  await poll(
    'descriptors to be free',
    () => readdirSync(`/proc/${service.pid}/fd`).length < limit - 10,
  );
  await expectTracked();
});

test('clients that send one byte a second, and clients that say nothing, keep nobody from work', async () => {
  await start('Milter_Listener { idle_timeout = 2 }\nHTTP_Listener { request_timeout = 2 }');
  const open = async (port: number) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'connect');
    if (port === milterPort) socket.write(NEGOTIATION);
    return { socket, closed: once(socket, 'close') };
  };
  const slow: (Awaited<ReturnType<typeof open>> & { bytes: Buffer })[] = [];
  for (let n = 0; n < 20; n++) {
    slow.push({ ...(await open(milterPort)), bytes: Buffer.from('\x00\x00\x00\x09Hhelo') });
    slow.push({ ...(await open(service.httpPort)), bytes: Buffer.from('GET /x HT') });
  }
  const silent = await Promise.all([open(milterPort), open(milterPort)]);
  let at = 0;
  const dribble = setInterval(() => {
    for (const { socket, bytes } of slow) socket.write(bytes.subarray(at, at + 1));
    at++;
  }, 1_000);
  try {
    await expectTracked();
    await Promise.all([...slow, ...silent].map(({ closed }) => closed)); // each is given up in the end
    await expectTracked();
  } finally {
    clearInterval(dribble);
    for (const { socket } of [...slow, ...silent]) socket.destroy();
  }
}, 60_000);

test('a clock that jumps a year ahead and back: mail goes on, and links go on leading to their targets', async () => {
  const clock = join(folder, 'clock');
  const set = (offset: string) => {
    writeFileSync(`${clock}.new`, `${offset}\n`);
    renameSync(`${clock}.new`, clock);
  };
  set('+0d');
  const [library] = execFileSync('find', ['/usr/lib', '-name', 'libfaketime.so.1'], {
    encoding: 'utf8',
  }).split('\n');
  expect(library, 'libfaketime is missing: run "sh test/install-peers.sh"').not.toBe('');
  await start('', {
    LD_PRELOAD: library ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  const ofToday = await expectTracked();
  const year = () => new Date(Number(service.log().at(-1)?.['time'])).getUTCFullYear();
  const now = new Date().getUTCFullYear();
  set('+730d');
  const ofTheFuture = await expectTracked();
  await poll('the log to be of the future', () => year() >= now + 1);
  set('-30d');
  await expectTracked();
  set('+0d');
  await expectTracked();
  for (const url of [ofToday, ofTheFuture]) {
    expect((await follow(service.httpPort, url)).status).toBe(302);
  }
});

test('Postfix restarted: its next messages are tracked like those before', async () => {
  await start();
  await expectTracked();
  await postfix.stop();
  // Half-open in the meantime: an MTA that is gone without a word.
  const orphan = await connectMilter({ port: milterPort });
  await orphan.open();
  postfix = await startPostfixAsking();
  await expectTracked();
  orphan.destroy();
}, 60_000);
