import { inBackground } from '../lib/background.ts';

/**
 * Milliseconds within which signals are one keystroke: under `npm start` the terminal and npm each
 * send one.
 */
const SAME_KEYSTROKE_MS = 300;

export interface SignalActions {
  /** Finishes sessions and requests, then ends: on the first SIGTERM or SIGINT. */
  stop(): void;
  /** Ends at once: on the second SIGTERM or SIGINT. */
  stopNow(): void;
  /**
   * Reads configuration, keys and log file again: on SIGHUP. It is not called while a call is still
   * running. It reports its own failures and must not reject.
   */
  reload(): Promise<void>;
}

/** Where signals come from: a process. Tests have a source of their own. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Handles the signals of a service.
 * @returns removes the handlers
 */
export function handleSignals(actions: SignalActions, source: SignalSource = process): () => void {
  let stoppedAt: number | undefined;
  const stop = () => {
    if (stoppedAt === undefined) {
      stoppedAt = performance.now();
      actions.stop();
    } else if (performance.now() - stoppedAt > SAME_KEYSTROKE_MS) {
      actions.stopNow();
    }
  };

  let reloading = false;
  let again = false; // a SIGHUP during a reload may be about a later change
  const reload = async () => {
    again = true;
    if (reloading) return;
    reloading = true;
    try {
      while (again && stoppedAt === undefined) {
        again = false;
        await actions.reload();
      }
    } finally {
      reloading = false;
    }
  };

  const listeners = [
    ['SIGTERM', stop],
    ['SIGINT', stop],
    ['SIGHUP', () => inBackground('reload', reload)],
  ] as const;
  for (const [signal, listener] of listeners) source.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) source.removeListener(signal, listener);
  };
}
