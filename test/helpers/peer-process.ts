import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';

/** Debian keeps servers in sbin, which an ordinary user's PATH leaves out. */
const { PATH: usersPath = '/usr/bin:/bin' } = process.env;
const PATH = `${usersPath}:/usr/local/sbin:/usr/sbin:/sbin`;

/** The full path of a program the tests need; its absence is a failure, never a silent skip. */
export function requireProgram(name: string, debianPackage: string): string {
  for (const folder of PATH.split(':')) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(
    `${name} is missing: run "sh test/install-peers.sh", or install Debian's package ${debianPackage}`,
  );
}

/** A program the tests started: a server, a proxy, the service itself. */
export interface PeerProcess {
  readonly pid: number;
  /** Settles when the process is gone, with its exit code, or null where a signal ended it. */
  readonly exited: Promise<number | null>;
  readonly running: boolean;
  /** What it wrote so far, to both outputs. */
  output(): string;
  /** What it wrote so far to its standard output alone. */
  stdout(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL for what is still there after `grace` milliseconds. */
  stop(grace?: number): Promise<number | null>;
}

export interface PeerOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program that dies with the test process, however that ends. */
export function startPeer(
  file: string,
  args: readonly string[],
  options: PeerOptions = {},
): PeerProcess {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const peer = watch(child, file);
  if (child.pid !== undefined) bury(child.pid, peer.exited);
  return peer;
}

/**
 * Kills `pid` should the test process vanish. Its end closes the pipe that a shell reads from; a parent-death
 * signal would not do, since servers that change their user lose it.
 */
function bury(pid: number, exited: Promise<unknown>): void {
  const watchdog = spawn('sh', ['-c', `read -r _ || kill -KILL ${pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  void exited.then(() => watchdog.kill('SIGKILL'));
}

function watch(child: ChildProcess, file: string): PeerProcess {
  const all: string[] = [];
  const out: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    all.push(text);
    out.push(text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => all.push(text));
  let running = true;
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      all.push(`${file}: ${error.message}\n`);
      running = false;
      resolve(null);
    });
    child.once('exit', (code) => {
      running = false;
      resolve(code);
    });
  });
  return {
    pid: child.pid ?? -1,
    exited,
    get running() {
      return running;
    },
    output: () => all.join(''),
    stdout: () => out.join(''),
    signal: (name) => {
      child.kill(name);
    },
    stop: async (grace = 5_000) => {
      if (!running) return exited;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), grace);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}
