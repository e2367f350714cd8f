import cluster from 'node:cluster';
import { inBackground } from '../../lib/background.ts';
import { reasonOf } from '../../lib/logger.ts';
import {
  type FromWorker,
  HEARTBEAT,
  readToWorker,
  SLOT,
  SUCCESSOR,
  type ToWorker,
} from './worker-messages.ts';

/** The orders of the primary that a worker carries out. */
export interface WorkerDuties {
  /**
   * Stops listening at once, and finishes sessions and requests; the process ends when it settles.
   * It may take any time until `hurry` aborts, which may have happened before the call.
   */
  close(hurry: AbortSignal): Promise<void>;
  /**
   * The answers to `Workers.ask`, by question; their values must survive structured cloning.
   * `reload` takes over the configuration that `Workers.reload` sends.
   */
  readonly answers: Readonly<Record<string, (value: unknown) => unknown>>;
}

export interface WorkerOptions {
  /** Whether sessions outlive the primary; otherwise the worker ends with it. */
  readonly outlivesPrimary?: boolean;
}

/** The slot of this worker, from 1; undefined in a process that is not a worker. */
export function workerSlot(): number | undefined {
  const slot = process.env[SLOT];
  return slot === undefined ? undefined : Number(slot);
}

/** Whether this worker replaces another one. */
export function isSuccessor(): boolean {
  return process.env[SUCCESSOR] === '1';
}

/**
 * Puts this process under its primary: it sends heartbeats, answers questions and obeys orders.
 * Call it first of all, since silence means a hang.
 * @returns the configuration, once the primary has sent it, and `ready`, to be called when the
 * worker listens
 */
export function serveUnderPrimary({ outlivesPrimary = false }: WorkerOptions = {}): {
  readonly configuration: Promise<unknown>;
  ready(duties: WorkerDuties): void;
} {
  const say = (message: FromWorker) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const beat = () => say({ clickmilter: 'alive', rss: process.memoryUsage.rss() });
  beat();
  setInterval(beat, Number(process.env[HEARTBEAT])).unref();

  let duties: WorkerDuties | undefined;
  let begin: (duties: WorkerDuties) => void;
  // A worker that is stopped while it starts may have sessions already.
  const started = new Promise<WorkerDuties>((resolve) => {
    begin = resolve;
  });

  const hurry = new AbortController();
  let closing = false;
  const close = async () => {
    const { close } = await started;
    if (closing) return;
    closing = true;
    close(hurry.signal).then(
      () => process.exit(0),
      () => process.exit(1), // reported where it happened; the code tells the primary
    );
  };
  const stop = () => {
    hurry.abort();
    return close();
  };
  const leave = async () => {
    await close();
    if (process.connected) process.disconnect();
  };
  const answer = async ({ id, what, value }: Question) => {
    try {
      const reply = Object.hasOwn(duties?.answers ?? {}, what) && duties?.answers[what];
      if (!reply) throw new Error(`nothing here answers "${what}"`);
      say({ clickmilter: 'answer', id, value: await reply(value) });
    } catch (error) {
      say({
        clickmilter: 'answer',
        id,
        error: reasonOf(error),
      });
    }
  };

  if (outlivesPrimary && cluster.worker !== undefined) {
    // Otherwise node:cluster ends a worker whose channel closes.
    cluster.worker.exitedAfterDisconnect = true;
    process.once('disconnect', () => {
      if (duties === undefined) process.exit(1);
      else inBackground('finish without the primary', close);
    });
  }
  const configuration = new Promise<unknown>((resolve) => {
    process.on('message', (message) => {
      const order = readToWorker(message);
      if (order?.clickmilter === 'begin') resolve(order.configuration);
      else if (order?.clickmilter === 'stop') inBackground('stop', stop);
      else if (order?.clickmilter === 'finish') inBackground('finish', close);
      else if (order?.clickmilter === 'leave') inBackground('leave', leave);
      else if (order !== undefined) inBackground('answer the primary', () => answer(order));
    });
  });
  say({ clickmilter: 'hello' });
  // The terminal signals the whole group; these are for the primary, which passes them on.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', () => inBackground('stop', stop));
  return {
    configuration,
    ready(withDuties) {
      duties = withDuties;
      begin(withDuties);
      say({ clickmilter: 'ready' });
    },
  };
}

type Question = Extract<ToWorker, { clickmilter: 'ask' }>;
