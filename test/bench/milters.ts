import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireProgram } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import type { Redis } from '../helpers/redis.ts';
import type { Bench } from './harness.ts';
import type { MeasuredProcess } from './measured-process.ts';
import { Mta } from './mta.ts';
import type { Recording } from './recording.ts';

/** A milter that listens on a unix socket. */
export interface Milter {
  readonly name: string;
  readonly socket: string;
  readonly process: MeasuredProcess;
}

export type MilterFigure = 'rate' | 'cpu';

/** When a measurement ends. */
type Until = { readonly seconds: number } | { readonly messages: number };

/** What a milter is asked to do. */
export interface Work {
  readonly milter: Milter;
  /** The SMTP client's address. */
  readonly client?: string;
  /** What it must do with the body: one that fails to do its job would be the fastest of all. */
  readonly body: 'replaced' | 'received' | 'never sent';
}

/**
 * Has a milter filter messages over so many connections, for one measurement's time by default.
 * @returns messages a second, and microseconds of CPU a message
 */
export async function costOf(
  bench: Bench,
  work: Work,
  recordings: readonly Recording[],
  connections: number,
  until: Until = bench.options,
): Promise<Record<MilterFigure, number>> {
  const { milter, body } = work;
  const mta = await Mta.open(milter.socket, connections, work.client);
  const before = milter.process.cpu();
  const sent = await mta.send(recordings, until);
  const cpu = (milter.process.cpu() - before) / sent.messages;
  mta.close();
  const expected = {
    bodies: body === 'never sent' ? 0 : sent.messages,
    replaced: body === 'replaced' ? sent.messages : 0,
  };
  if (sent.bodies !== expected.bodies || sent.replaced !== expected.replaced) {
    throw new Error(
      `${milter.name}: of ${sent.messages} bodies ${sent.bodies} were sent and ${sent.replaced} replaced, ` +
        `where ${expected.bodies} and ${expected.replaced} would be right`,
    );
  }
  return { rate: sent.messages / sent.seconds, cpu };
}

/**
 * Lets milters on Node work until V8 has compiled what it is going to compile: that takes some ten thousand messages, a
 * minute in the weeks a service runs, and would be most of a measurement.
 */
export async function warmUp(
  bench: Bench,
  works: readonly (Work | undefined)[],
  recordings: readonly Recording[],
  until: Until = { seconds: 10 * bench.options.seconds },
): Promise<void> {
  for (const work of works) {
    if (work) await costOf(bench, work, recordings, 8, until);
  }
}

/** A milter in C over libmilter, from the source of that name. */
export async function cMilter(bench: Bench, source: string, ...args: string[]): Promise<Milter> {
  if (!existsSync('/usr/include/libmilter/mfapi.h')) {
    throw new Error("libmilter/mfapi.h is missing: install Debian's package libmilter-dev");
  }
  const program = join(bench.dir, source);
  const gcc = requireProgram('gcc', 'gcc');
  execFileSync(gcc, [
    '-O2',
    '-Wall',
    '-o',
    program,
    peerFile(`${source}.c`),
    '-lmilter',
    '-lpthread',
  ]);
  return listening(bench, `c-${[source, ...args].join('-')}`, (socket) => [
    program,
    socket,
    ...args,
  ]);
}

/** opendkim, signing with a 2048 bit RSA key as it does out of the box. */
export async function opendkim(bench: Bench): Promise<Milter> {
  const key = join(bench.dir, 'dkim.key');
  execFileSync(requireProgram('openssl', 'openssl'), ['genrsa', '-out', key, '2048'], {
    stdio: 'ignore',
  });
  await chmod(key, 0o600);
  const conf = join(bench.dir, 'opendkim.conf');
  await writeFile(
    conf,
    `Background no\nSyslog no\nMode s\nDomain shop.example\nSelector bench\nKeyFile ${key}\nRequireSafeKeys no\nExternalIgnoreList 0.0.0.0/0\nInternalHosts 0.0.0.0/0\n`,
  );
  const program = requireProgram('opendkim', 'opendkim');
  return listening(bench, 'opendkim', (socket) => [
    program,
    '-f',
    '-x',
    conf,
    '-p',
    `local:${socket}`,
  ]);
}

/** Debian's own Python: its packages are not those of another one in the PATH. */
const PYTHON = '/usr/bin/python3';

/** The same job in Python. */
export async function pythonMilter(bench: Bench, redis: Redis): Promise<Milter> {
  try {
    execFileSync(PYTHON, ['-c', 'import Milter, bs4, lxml'], { stdio: 'ignore' });
  } catch {
    throw new Error("install Debian's packages python3-milter, python3-bs4 and python3-lxml");
  }
  return listening(bench, 'python', (socket) => [
    PYTHON,
    peerFile('track-links.py'),
    socket,
    redis.socket,
  ]);
}

/** A milter on this project's library that takes the body and changes nothing. */
export function floorMilter(bench: Bench): Promise<Milter> {
  const library = join(bench.cli, '..', 'milter', 'milter.js');
  return listening(bench, 'floor', (socket) => [
    process.execPath,
    peerFile('floor.mjs'),
    library,
    socket,
  ]);
}

/** Starts a milter's program and waits until it listens. */
export async function listening(
  bench: Bench,
  name: string,
  command: (socket: string) => readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Milter> {
  const socket = join(bench.dir, `${name}.sock`);
  const [program = '', ...args] = command(socket);
  const measured = bench.start(name, program, args, env);
  await poll(`${name} to listen`, () => {
    if (!measured.peer.running) {
      throw new Error(`${name} ended at once:\n${readFileSync(bench.log(name), 'utf8')}`);
    }
    return answers(socket);
  });
  return { name, socket, process: measured };
}

/** Whether somebody accepts connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export function peerFile(name: string): string {
  return fileURLToPath(new URL(`peers/${name}`, import.meta.url));
}
