import { execFile } from 'node:child_process';
import cluster from 'node:cluster';
import { inBackground } from '../lib/background.ts';
import { type Logger, logFailure } from '../lib/logger.ts';

/** Milliseconds systemd-notify(1) may take. */
const NOTIFY_MS = 5_000;

/**
 * Tells systemd the state of the service (sd_notify(3)). Node has no unix datagram sockets, so each
 * message is one run of systemd-notify(1): the unit needs `NotifyAccess=all`. Without NOTIFY_SOCKET
 * every call is a no-op. A message that cannot be sent is logged, and never fails the service.
 */
export class Notifier {
  readonly #enabled: boolean;
  readonly #env: NodeJS.ProcessEnv;
  readonly #logger: Logger;
  #last: Promise<void> = Promise.resolve();

  constructor(logger: Logger, env: NodeJS.ProcessEnv = process.env) {
    this.#enabled = Boolean(env['NOTIFY_SOCKET']);
    this.#env = env;
    this.#logger = logger;
  }

  ready(status: string): Promise<void> {
    return this.#send('READY=1', `STATUS=${oneLine(status)}`);
  }

  /**
   * Announces a reload. `ready` follows once the new configuration is in use, or the old one stays.
   */
  reloading(): Promise<void> {
    return this.#send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(status: string): Promise<void> {
    return this.#send('STOPPING=1', `STATUS=${oneLine(status)}`);
  }

  /**
   * Sends keep-alives at half of the unit's WatchdogSec=, as sd_watchdog_enabled(3) recommends.
   * They come from the event loop, so that a process that hangs falls silent and is restarted. They
   * go on until the process ends, since finishing sessions may take longer than WatchdogSec=.
   */
  startWatchdog(): void {
    const usec = Number(this.#env['WATCHDOG_USEC']);
    const pid = this.#env['WATCHDOG_PID'];
    if (!this.#enabled || !(usec > 0)) return;
    if (pid !== undefined && pid !== String(process.pid)) return;
    setInterval(() => {
      inBackground('send a keep-alive to systemd', () => this.#send('WATCHDOG=1'));
    }, usec / 2000).unref();
  }

  /** Sends one message after the other: READY must not overtake RELOADING. */
  #send(...assignments: string[]): Promise<void> {
    if (!this.#enabled) return Promise.resolve();
    this.#last = this.#last.then(() => this.#run(assignments));
    return this.#last;
  }

  #run(assignments: string[]): Promise<void> {
    return new Promise((resolve) => {
      const options = { env: this.#env, timeout: NOTIFY_MS, killSignal: 'SIGKILL' } as const;
      execFile('systemd-notify', assignments, options, (error) => {
        if (error !== null) {
          logFailure(this.#logger, 'warn', error, 'sd_notify failed', {
            assignment: assignments[0],
          });
        }
        resolve();
      });
    });
  }
}

/** The text in one line: the protocol is one assignment per line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_FD = 3;

/**
 * The listening sockets that systemd (or anything that speaks sd_listen_fds(3)) opened for this
 * process: descriptors by name (`FileDescriptorName=` of the socket unit), fit for `server.listen({
 * fd })`. Empty where there are none, or where they were meant for another process.
 *
 * In a cluster worker the numbers are those of the primary, which is what `listen({ fd })` means
 * there: the descriptor is opened in the primary and shared.
 * @throws Error where the environment contradicts itself
 */
export function inheritedSockets(
  env: NodeJS.ProcessEnv = process.env,
  pid = cluster.isWorker ? process.ppid : process.pid,
): ReadonlyMap<string, readonly number[]> {
  const sockets = new Map<string, number[]>();
  if (env['LISTEN_FDS'] === undefined || env['LISTEN_PID'] !== String(pid)) return sockets;

  const count = Number(env['LISTEN_FDS']);
  if (!Number.isInteger(count) || count < 0) {
    throw new Error(`LISTEN_FDS is "${env['LISTEN_FDS']}", expected a number of sockets`);
  }
  const names = env['LISTEN_FDNAMES']?.split(':') ?? [];
  if (names.length > 0 && names.length !== count) {
    throw new Error(`LISTEN_FDNAMES holds ${names.length} names for ${count} sockets`);
  }
  for (let index = 0; index < count; index++) {
    const name = names[index] || 'unknown'; // the name sd_listen_fds_with_names(3) gives
    const fds = sockets.get(name);
    if (fds === undefined) sockets.set(name, [FIRST_FD + index]);
    else fds.push(FIRST_FD + index);
  }
  return sockets;
}
