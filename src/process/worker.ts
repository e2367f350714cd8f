import { inBackground } from '../lib/background.ts';
import { type FromWorker, HEARTBEAT, isOurs, SLOT, type ToWorker } from './worker-messages.ts';

/** What a worker does when the primary says so. */
export interface WorkerDuties {
  /** Finishes what is begun; the process ends when it settles. */
  stop(): Promise<void>;
  /**
   * Answers to `Workers.ask`, by what is asked; the values must survive structured cloning. What is asked with
   * `reload`, by `Workers.reload`, comes with the configuration that is to be taken over.
   */
  readonly answers: Readonly<Record<string, (value: unknown) => unknown>>;
}

/** The slot of this worker, from 1; undefined in a process that is not a worker. */
export function workerSlot(): number | undefined {
  const slot = process.env[SLOT];
  return slot === undefined ? undefined : Number(slot);
}

/**
 * Puts this process under its primary: heartbeats, questions, the order to stop. To be called at once,
 * before anything that takes time, since silence means a hang.
 * @param exit ends the process; the default is the right one outside tests
 * @returns the configuration, as soon as the primary has handed it over, and what to call when the worker listens
 */
export function serveUnderPrimary(
  duties: () => WorkerDuties | undefined,
  exit: (code: number) => void = process.exit,
): { readonly configuration: Promise<unknown>; ready(): void } {
  const say = (message: FromWorker) => {
    // A primary that is gone is no news: node:cluster ends a worker whose channel closes.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const beat = () => say({ clickmilter: 'alive', rss: process.memoryUsage.rss() });
  beat();
  setInterval(beat, Number(process.env[HEARTBEAT])).unref();

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    try {
      await duties()?.stop();
      exit(0);
    } catch {
      exit(1); // reported where it happened; the code tells the primary
    }
  };
  const answer = async ({ id, what, value }: Question) => {
    try {
      const reply = duties()?.answers[what];
      if (reply === undefined) throw new Error(`nothing here answers "${what}"`);
      say({ clickmilter: 'answer', id, value: await reply(value) });
    } catch (error) {
      say({
        clickmilter: 'answer',
        id,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };

  const configuration = new Promise<unknown>((resolve) => {
    process.on('message', (message) => {
      if (!isOurs(message)) return;
      const order = message as ToWorker;
      if (order.clickmilter === 'begin') resolve(order.configuration);
      else if (order.clickmilter === 'stop') inBackground('stop', stop);
      else inBackground('answer the primary', () => answer(order));
    });
  });
  say({ clickmilter: 'hello' });
  // The terminal signals the whole group; these are for the primary, which passes them on.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', () => inBackground('stop', stop));
  return { configuration, ready: () => say({ clickmilter: 'ready' }) };
}

type Question = Extract<ToWorker, { clickmilter: 'ask' }>;
