import { execFile } from 'node:child_process';
import { inBackground } from '../lib/background.ts';

const BOUND_MS = 5_000;

/**
 * Tells systemd how the service is doing (sd_notify(3)). Node has no unix datagram sockets, so each
 * message is one run of systemd-notify(1): the unit needs `NotifyAccess=all`. Without NOTIFY_SOCKET
 * every call is a no-op. A message that cannot be sent never fails the service: `onError` hears of it.
 */
export class Notifier {
  readonly #enabled: boolean;
  readonly #env: NodeJS.ProcessEnv;
  readonly #onError: (error: Error) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(onError: (error: Error) => void, env: NodeJS.ProcessEnv = process.env) {
    this.#enabled = Boolean(env['NOTIFY_SOCKET']);
    this.#env = env;
    this.#onError = onError;
  }

  ready(status: string): Promise<void> {
    return this.#send('READY=1', `STATUS=${oneLine(status)}`);
  }

  /** To be followed by `ready` once the new configuration is in use, or the old one stays. */
  reloading(): Promise<void> {
    return this.#send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(status: string): Promise<void> {
    return this.#send('STOPPING=1', `STATUS=${oneLine(status)}`);
  }

  /**
   * Sends keep-alives at half of the unit's WatchdogSec=, as sd_watchdog_enabled(3) recommends. They come
   * from the event loop, so that a process that hangs falls silent and is restarted; to the very end, since
   * finishing what has begun may take longer than WatchdogSec=.
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

  /** One after the other: READY must not overtake RELOADING. */
  #send(...assignments: string[]): Promise<void> {
    if (!this.#enabled) return Promise.resolve();
    this.#last = this.#last.then(() => this.#run(assignments));
    return this.#last;
  }

  #run(assignments: string[]): Promise<void> {
    return new Promise((resolve) => {
      const options = { env: this.#env, timeout: BOUND_MS, killSignal: 'SIGKILL' } as const;
      execFile('systemd-notify', assignments, options, (error) => {
        if (error !== null) {
          const said = assignments[0];
          this.#onError(
            new Error(`systemd-notify ${said}: ${error.message.trim()}`, { cause: error }),
          );
        }
        resolve();
      });
    });
  }
}

/** The protocol is one assignment a line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
