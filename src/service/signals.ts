import { inBackground } from '../lib/background.ts';

/** One Ctrl-C arrives twice under `npm start`: from the terminal, and passed on by npm. */
const SAME_KEYSTROKE_MS = 300;

export interface SignalActions {
  /** The first SIGTERM or SIGINT: finish what is begun, then end. */
  stop(): void;
  /** The second one: end at once. */
  stopNow(): void;
  /**
   * SIGHUP: read configuration, keys and log file again. Never called while a call is still running.
   * Reports its own failures; it must not reject.
   */
  reload(): Promise<void>;
}

/** Any process, so that tests need not send signals to themselves. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Answers the signals of a service.
 * @returns takes the handlers away again
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
  let again = false; // a SIGHUP in the middle of a reload may be about a later change
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
