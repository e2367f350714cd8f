import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { type PeerProcess, requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

const run = promisify(execFile);

export interface RedisOptions {
  /** TCP port on 127.0.0.1; a free one when not given. */
  readonly port?: number;
  /** Further arguments, such as `['--appendonly', 'yes', '--requirepass', 'x']`. */
  readonly args?: readonly string[];
  /** Lines of redis.conf, read before `args`. */
  readonly conf?: string;
  /** Runs as a Sentinel instead of as a server (`conf` says what it monitors). */
  readonly sentinel?: boolean;
}

/** A private redis-server; its data folder outlives `kill` and goes with `stop`. */
export interface Redis {
  readonly port: number;
  /** Its unix socket, served beside the port. */
  readonly socket: string;
  /** redis://127.0.0.1:port */
  readonly url: string;
  /** Its data folder. */
  readonly dir: string;
  readonly pid: number;
  /** What the server logged since its last start. */
  log(): string;
  /** One command through redis-cli on the unix socket, for a view independent of any client library. */
  cli(...command: string[]): Promise<string>;
  /** SIGKILL; `start` brings it back on the same port and data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
}

/** Starts a redis-server of one's own, in memory unless `args` say otherwise, and waits until it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const server = requireProgram('redis-server', 'redis-server');
  const client = requireProgram('redis-cli', 'redis-tools');
  const dir = await mkdtemp(join(tmpdir(), 'clickmilter-redis-'));
  const port = options.port ?? (await freePort());
  const socket = join(dir, 'redis.sock');
  const conf = join(dir, 'redis.conf');
  // A Sentinel rewrites its file, and knows neither snapshots nor append-only files.
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `unixsocket ${socket}`,
    'unixsocketperm 777',
    `dir ${dir}`,
    ...(options.sentinel ? [] : ['save ""', 'appendonly no']),
    options.conf ?? '',
  ];
  await writeFile(conf, `${lines.join('\n')}\n`);
  const args = [conf, ...(options.sentinel ? ['--sentinel'] : []), ...(options.args ?? [])];

  // --requirepass or TLS may refuse a bare PING: the log line says "ready" in every set-up.
  const start = async (): Promise<PeerProcess> => {
    const started = startPeer(server, args, { cwd: dir });
    await poll('redis-server to accept connections', () => {
      if (!started.running) throw new Error(`redis-server ended at once:\n${started.output()}`);
      return /ready to accept connections|Sentinel ID is/i.test(started.output());
    });
    return started;
  };
  let peer = await start();
  // Its connections close before its end is known here.
  let killed: Promise<unknown> = Promise.resolve();

  return {
    port,
    socket,
    url: `redis://127.0.0.1:${port}`,
    dir,
    get pid() {
      return peer.pid;
    },
    log: () => peer.output(),
    cli: async (...command) => (await run(client, ['-s', socket, ...command])).stdout.trimEnd(),
    kill: async () => {
      peer.signal('SIGKILL');
      killed = peer.exited;
      await killed;
    },
    start: async () => {
      await killed;
      if (!peer.running) peer = await start();
    },
    pause: () => peer.signal('SIGSTOP'),
    resume: () => peer.signal('SIGCONT'),
    stop: async () => {
      await peer.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
