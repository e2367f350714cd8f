import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import buildProgram, { builtProgram } from '../helpers/built-program.ts';
import { ask } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { poll } from '../helpers/poll.ts';
import { Bench } from './harness.ts';
import { listening } from './milters.ts';
import { Mta } from './mta.ts';
import { copies, newsletters, record } from './newsletters.ts';
import { median } from './rounds.ts';
import { TRACKING_DOMAIN } from './service.ts';
import { trackedUrls } from './tracked-urls.ts';

/**
 * Mail and clicks at a steady rate, and the resident memory of milter and redirect meanwhile: it
 * must not grow. The rates are far below what a core can do, so that garbage collection has its time.
 */
const MAILS_A_SECOND = 20;
const CLICKS_A_SECOND = 100;
const SESSIONS = 4;
/** The last sixth of the time may have this much of the memory of the second sixth. */
const FLAT = 1.1;
/** In less time the caches are still filling. */
const LEAST_MINUTES = 5;
const SAMPLES = 120;
/** Messages that passed untracked, and clicks answered with 503: Redis was late. */
const late = { messages: 0, clicks: 0 };

const { hour, minutes } = new Command('soak')
  .description('Watches the memory of milter and redirect under steady traffic.')
  .option('--hour', 'for an hour')
  .option('--minutes <n>', 'for so long; memory is judged from 5 minutes on', Number, 6)
  .parse()
  .opts<{ hour?: true; minutes: number }>();
const seconds = 60 * (hour ? 60 : minutes);

if (existsSync('/dev/shm')) Object.assign(process.env, { TMPDIR: '/dev/shm' });
const dir = mkdtempSync(join(tmpdir(), 'clickmilter-soak-'));
buildProgram();
const bench = new Bench({ quick: false, rounds: 1, seconds }, dir, builtProgram);
try {
  process.exitCode = await soak();
} finally {
  await bench.stop();
  rmSync(dir, { recursive: true });
}

interface Sample {
  readonly minute: number;
  readonly milter: number;
  readonly redirect: number;
}

async function soak(): Promise<number> {
  const { milter, redirect, port } = await startRoles();
  const urls = await trackedUrls(milter, newsletters(20_000), 200);
  const end = performance.now() + seconds * 1000;
  const samples: Sample[] = [];
  const watch = async () => {
    while (samples.length < SAMPLES) {
      await sleep((seconds * 1000) / SAMPLES);
      const sample = {
        minute: ((samples.length + 1) * seconds) / SAMPLES / 60,
        milter: milter.process.memory() / 1e6,
        redirect: redirect.memory() / 1e6,
      };
      samples.push(sample);
      if (samples.length % 12 === 0) console.log(line(sample));
    }
  };
  const [mails, clicks] = await Promise.all([
    mail(milter.socket, end),
    click(port, urls, end),
    watch(),
  ]);
  console.log(`${mails} messages and ${clicks} clicks in ${seconds / 60} minutes`);
  if (late.messages + late.clicks > 0) {
    console.log(`Redis was late for ${late.messages} messages and ${late.clicks} clicks`);
  }
  const grown = (['milter', 'redirect'] as const).filter((role) => {
    const of = (from: number, to: number) =>
      median(samples.slice(SAMPLES * from, SAMPLES * to).map((sample) => sample[role]));
    const ratio = of(5 / 6, 1) / of(1 / 6, 2 / 6);
    console.log(`${role}: the last sixth has ${ratio.toFixed(2)} times the memory of the second`);
    return ratio > FLAT && seconds >= 60 * LEAST_MINUTES;
  });
  return grown.length === 0 ? 0 : 1;
}

function line({ minute, milter, redirect }: Sample): string {
  return `minute ${minute.toFixed(1)}: milter ${milter.toFixed(0)} MB, redirect ${redirect.toFixed(0)} MB`;
}

/** Milter and redirect as two processes, with one Redis. */
async function startRoles() {
  const redis = await bench.redis();
  const port = await freePort();
  const conf = join(dir, 'soak.conf');
  const socket = join(dir, 'milter.sock'); // as `listening` names it
  await writeFile(
    conf,
    `Milter_Listener { Listen "${socket}" { } }
HTTP_Listener { Listen "127.0.0.1:${port}" { } }
Control_Listener { enable = off }
link_store = "redis"
redis { url = "unix://${redis.socket}" }
state_directory = "${dir}/var"
ESMTP_Listener { click_tracking_enabled = true  tracking_domain = "${TRACKING_DOMAIN}" }
`,
  );
  const args = (role: string) => [bench.cli, '--config', conf, 'run', '--role', role];
  const milter = await listening(bench, 'milter', () => [process.execPath, ...args('milter')]);
  const redirect = bench.start('redirect', process.execPath, args('redirect'));
  await poll('the redirect to answer', () => get(port, '/').catch(() => undefined), 60_000);
  return { milter, redirect, port };
}

/** Sends newsletters, over sessions that last for a second. @returns how many */
function mail(socket: string, end: number): Promise<number> {
  const recordings = [...copies(20_000), ...record(newsletters(20_000))];
  return everySecond(end, MAILS_A_SECOND, async (first) => {
    const mta = await Mta.open(socket, SESSIONS);
    const from = first % recordings.length;
    const batch = [...recordings.slice(from), ...recordings.slice(0, from)];
    const { replaced } = await mta.send(batch, { messages: MAILS_A_SECOND });
    mta.close();
    late.messages += MAILS_A_SECOND - replaced;
  });
}

/** Clicks: one of ten on a link that does not exist. @returns how many */
function click(port: number, urls: readonly URL[], end: number): Promise<number> {
  return everySecond(end, CLICKS_A_SECOND, async (first) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const all = Array.from({ length: CLICKS_A_SECOND }, async (_, i) => {
      const isUnknown = i % 10 === 9;
      const path = isUnknown
        ? `/unknown${first + i}`
        : (urls[(first + i) % urls.length]?.pathname ?? '');
      const status = await get(port, path, agent);
      if (status === 503) late.clicks++;
      else if (status !== (isUnknown ? 404 : 302)) throw new Error(`${path}: answered ${status}`);
    });
    await Promise.all(all);
    agent.destroy();
  });
}

/** @param act is told how many there were before @returns how many there were in all */
async function everySecond(
  end: number,
  each: number,
  act: (before: number) => Promise<void>,
): Promise<number> {
  let done = 0;
  for (let next = performance.now(); next < end; next += 1000) {
    await sleep(Math.max(0, next - performance.now()));
    await act(done);
    done += each;
  }
  return done;
}

async function get(port: number, path: string, agent?: Agent): Promise<number> {
  const headers = { host: TRACKING_DOMAIN, 'user-agent': 'Mozilla/5.0 soak' };
  return (await ask({ port, path, headers, ...(agent && { agent }) })).status;
}
