import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtProgram } from './built-program.ts';
import { freePort } from './free-port.ts';
import { type PeerProcess, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

export interface ServiceOptions {
  /** Where the milter listens, as in a `Listen`: an address and port, or a path. A free port of the loopback by default. */
  readonly milter?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of `run`. */
  readonly args?: readonly string[];
}

/** The built clickmilter as an operator runs it, with a state folder, milter and redirect of its own. */
export interface Service {
  readonly pid: number;
  /** For smtpd_milters: `inet:127.0.0.1:PORT` or `unix:PATH`. */
  readonly milter: string;
  readonly milterPort: number;
  readonly httpPort: number;
  readonly controlPort: number;
  /** Holds the configuration, and in `var` the keys and the journal. */
  readonly dir: string;
  readonly configFile: string;
  /** What it wrote since the last start. */
  output(): string;
  /** The lines of its log, parsed. */
  log(): Record<string, unknown>[];
  /** Click events in the journal, parsed, oldest first. */
  journal(): ClickEvent[];
  signal(name: NodeJS.Signals): void;
  /** Its exit code once it has ended, null where a signal ended it. */
  exited(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, with the same configuration and state. */
  start(): Promise<void>;
  /** SIGTERM, and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
}

/** The envelope of Momentum's click events. */
export interface ClickEvent {
  readonly msys: { readonly track_event: Readonly<Record<string, unknown>> };
}

/**
 * Starts the built service and waits until it serves.
 * @param settings lines of clickmilter.conf beside its listeners and its state folder
 */
export async function startService(
  settings: string,
  options: ServiceOptions = {},
): Promise<Service> {
  const dir = await mkdtemp(join(tmpdir(), 'clickmilter-service-'));
  // A unix socket below it is for the user "postfix" too.
  await chmod(dir, 0o755);
  const state = join(dir, 'var');
  await mkdir(state);
  const milterPort = await freePort();
  const httpPort = await freePort();
  const controlPort = await freePort();
  const listen = options.milter ?? `127.0.0.1:${milterPort}`;
  const configFile = join(dir, 'clickmilter.conf');
  await writeFile(
    configFile,
    `Milter_Listener { Listen "${listen}" { ${listen.startsWith('/') ? 'File_Mode = 0666' : ''} } }
HTTP_Listener { Listen "127.0.0.1:${httpPort}" { } }
Control_Listener { Listen "127.0.0.1:${controlPort}" { } }
state_directory = "${state}"
log { level = debug  format = json }
${settings}
`,
  );

  const start = async (): Promise<PeerProcess> => {
    const args = [builtProgram, '--config', configFile, 'run', ...(options.args ?? [])];
    const started = startPeer(process.execPath, args, {
      cwd: dir,
      ...(options.env && { env: options.env }),
    });
    await poll('clickmilter to serve', () => {
      if (!started.running) throw new Error(`clickmilter ended at once:\n${started.output()}`);
      return started.output().includes('smtpd_milters');
    });
    return started;
  };
  let peer = await start();
  // Its connections close before its end is known here.
  let killed: Promise<unknown> = Promise.resolve();

  return {
    get pid() {
      return peer.pid;
    },
    milter: listen.startsWith('/') ? `unix:${listen}` : `inet:${listen}`,
    milterPort,
    httpPort,
    controlPort,
    dir,
    configFile,
    output: () => peer.output(),
    log: () => jsonLines(peer.stdout()),
    journal: () => readJournal(join(state, 'events')),
    signal: (name) => peer.signal(name),
    exited: () => peer.exited,
    kill: async () => {
      peer.signal('SIGKILL');
      killed = peer.exited;
      await killed;
    },
    start: async () => {
      await killed;
      if (!peer.running) peer = await start();
    },
    stop: async () => {
      await peer.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function readJournal(folder: string): ClickEvent[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^(events|pending)-.*\.jsonl$/.test(file))
    .sort()
    .flatMap(
      (file) => jsonLines(readFileSync(join(folder, file), 'utf8')) as unknown as ClickEvent[],
    )
    .filter((event) => event.msys !== undefined);
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
