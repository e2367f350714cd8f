import { inBackground } from '../../lib/background.ts';
import type { Fields, Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { RunningWorker, type WorkerEnd, WorkerFailed } from './running-worker.ts';

export interface SlotOptions {
  /**
   * Resident bytes beyond which a worker is replaced. It must have served for the slowest
   * `backoffMs`: with a limit that none can keep, workers would otherwise replace each other all
   * the time. Its sessions finish in any time, or within the grace once its successor is too large
   * as well.
   */
  readonly maxRss: number;
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs: number;
  /** A worker that is silent for this many heartbeats is killed. */
  readonly hungAfter: number;
  /** Milliseconds that a worker may take to start, on a machine that has just booted. */
  readonly startMs: number;
  /** Milliseconds that a worker may take to finish its sessions. */
  readonly graceMs: number;
  /**
   * Milliseconds before the first and before the slowest replacement of a worker that keeps dying.
   */
  readonly backoffMs: readonly [first: number, slowest: number];
  /**
   * Called when the last worker has died, and the primary has let go of the listening sockets with
   * it: a service that inherited them must end, to be given them again.
   */
  readonly lastDied: () => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The functions that a slot needs from its service. */
export interface Pool {
  /** The configuration in use now. */
  configuration(): unknown;
  /** Whether no more workers start. */
  isStopping(): boolean;
  /** How many workers serve now. */
  serving(): number;
}

/** Worker lifecycle events that an operator should know, and what they mean for mail and clicks. */
const EVENTS = {
  died: 'worker died: open sessions are lost, a successor starts after retryMs',
  hung: 'worker killed: its event loop stood still, open sessions are lost',
  'too-large': 'worker over worker_max_memory: its sessions finish, a successor takes new ones',
  overdue: 'worker killed: sessions did not finish in time and are lost',
} as const;

/** The place of one worker, where another one follows it when it dies, hangs or grows. */
export class Slot {
  /** From 1. */
  readonly number: number;
  readonly #pool: Pool;
  readonly #options: SlotOptions;
  #current: RunningWorker | undefined;
  /** When the current worker began to serve, by performance.now(). */
  #servesSince = performance.now();
  /** Its successor, which starts: alive, but without sessions. */
  #starting: RunningWorker | undefined;
  /** Its predecessor, which finishes its sessions: each slot has at most two processes. */
  #finishing: RunningWorker | undefined;
  /** Whether the predecessor has been told to stop within the grace. */
  #hurried = false;
  /** Whether a successor waits or starts. */
  #replacing = false;
  #retry: NodeJS.Timeout | undefined;
  /** Deaths in a row. */
  #deaths = 0;

  constructor(number: number, pool: Pool, options: SlotOptions) {
    this.number = number;
    this.#pool = pool;
    this.#options = options;
    for (const event of Object.keys(EVENTS)) {
      options.metrics.count('worker_events_total', { event }, 0);
    }
  }

  /** The worker that serves now. */
  get current(): RunningWorker | undefined {
    return this.#current;
  }

  /** The workers that have sessions. */
  get withSessions(): readonly RunningWorker[] {
    return present(this.#current, this.#finishing);
  }

  get #all(): readonly RunningWorker[] {
    return present(this.#current, this.#finishing, this.#starting);
  }

  /**
   * Starts the first worker of the slot. Settles when it is ready.
   * @param ahead one that was forked already
   * @returns a function that has it replaced when it dies; for when the whole service has started
   * @throws WorkerFailed when it ends before it is ready
   */
  async start(ahead?: RunningWorker): Promise<() => void> {
    const worker = ahead?.begin(() => this.#pool.configuration()) ?? this.#fork();
    this.#current = worker;
    if (!(await worker.ready)) throw new WorkerFailed(this.number, await worker.ended);
    return () => this.#install(worker);
  }

  /** Waits for workers that are starting. No other one may be due. */
  async settle(): Promise<void> {
    clearTimeout(this.#retry);
    await Promise.all(this.#all.map((worker) => worker.ready));
  }

  /** Stops the workers, each within the grace. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((worker) => this.#stop(worker)));
  }

  /** Has the workers stop listening, and finish without this process. */
  async leave(): Promise<void> {
    await Promise.all(
      this.#all.map(async (worker) => {
        if (!(await worker.leave())) this.#report(worker, 'overdue');
      }),
    );
  }

  kill(): void {
    for (const worker of this.#all) worker.kill();
  }

  /**
   * Looks, once per heartbeat, for workers that hang or are too large. It counts heartbeats missed
   * by its own ticks, not by the clock: a machine that slept, or a service that was halted as a
   * whole, has missed none.
   */
  watch(): void {
    const { heartbeatMs, hungAfter, maxRss } = this.#options;
    for (const worker of this.#all) {
      if (++worker.missed <= hungAfter) continue;
      this.#report(worker, 'hung', { silentMs: worker.missed * heartbeatMs });
      worker.missed = 0;
      worker.kill();
    }
    const current = this.#current;
    if (current === undefined || current.rss <= maxRss || !this.#hasServedLong()) return;
    if (!this.#replacing && !this.#pool.isStopping()) this.#replaceLarge(current);
  }

  #replaceLarge(current: RunningWorker): void {
    const older = this.#finishing;
    if (older !== undefined) {
      // Both are too large: the older one has to make room, and then this one can be replaced.
      if (!this.#hurried) inBackground('stop a worker', () => this.#stop(older));
      this.#hurried = true;
      return;
    }
    this.#report(current, 'too-large', { rss: current.rss });
    this.#replacing = true;
    this.#succeedInBackground();
  }

  #replaceDead(dead: RunningWorker, end: WorkerEnd): void {
    if (this.#pool.isStopping()) return;
    const [first, slowest] = this.#options.backoffMs;
    // Where a successor is on its way already, it needs no other.
    const retryMs = this.#replacing ? 0 : Math.min(first * 2 ** this.#deaths++, slowest);
    const left = this.#pool.serving();
    this.#report(dead, 'died', { ...end, left, retryMs });
    if (left === 0) this.#options.lastDied();
    if (this.#replacing) return;
    this.#replacing = true;
    this.#retry = setTimeout(() => this.#succeedInBackground(), retryMs);
  }

  #succeedInBackground(): void {
    inBackground('start a worker', () => this.#startSuccessor());
  }

  /** The present worker, where there is one, goes when its successor is ready. */
  async #startSuccessor(): Promise<void> {
    const successor = this.#fork(true);
    this.#starting = successor;
    const failed = await successor.failure();
    this.#starting = undefined;
    this.#replacing = false;
    if (failed !== undefined) return this.#replaceDead(successor, failed);
    const predecessor = this.#current;
    this.#finishing = predecessor;
    this.#hurried = false;
    this.#install(successor);
    if (predecessor === undefined || this.#pool.isStopping()) return; // all are being stopped
    await predecessor.finish();
    this.#finishing = undefined;
  }

  #fork(isSuccessor = false): RunningWorker {
    const { heartbeatMs, startMs } = this.#options;
    const worker = new RunningWorker(this.number, heartbeatMs, startMs, isSuccessor);
    return worker.begin(() => this.#pool.configuration());
  }

  /** Makes a ready worker the one that serves. */
  #install(worker: RunningWorker): void {
    this.#current = worker;
    this.#servesSince = performance.now();
    this.#options.logger.debug(
      { event: 'ready', worker: this.number, workerPid: worker.pid },
      'worker ready',
    );
    inBackground('replace a dead worker', async () => {
      const end = await worker.ended;
      if (this.#current !== worker) return; // its successor was here first
      this.#current = undefined;
      if (this.#hasServedLong()) this.#deaths = 0;
      this.#replaceDead(worker, end);
    });
  }

  async #stop(worker: RunningWorker): Promise<void> {
    if (!(await worker.stop(this.#options.graceMs))) this.#report(worker, 'overdue');
  }

  /** So long that an event now has nothing to do with its start. */
  #hasServedLong(): boolean {
    return performance.now() - this.#servesSince > this.#options.backoffMs[1];
  }

  #report(worker: RunningWorker, event: keyof typeof EVENTS, fields: Fields = {}): void {
    const { logger, metrics } = this.#options;
    metrics.count('worker_events_total', { event });
    // Every line has the pid of its writer already.
    logger.error({ event, worker: this.number, workerPid: worker.pid, ...fields }, EVENTS[event]);
  }
}

function present(...workers: readonly (RunningWorker | undefined)[]): readonly RunningWorker[] {
  return workers.filter((worker) => worker !== undefined);
}
