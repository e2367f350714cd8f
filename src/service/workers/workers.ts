import { availableParallelism } from 'node:os';
import { inBackground } from '../../lib/background.ts';
import type { Fields, Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import {
  HEARTBEAT_MS,
  RunningWorker,
  START_MS,
  type WorkerEnd,
  WorkerFailed,
} from './running-worker.ts';

export interface WorkersOptions {
  /** The number of workers. */
  readonly count: number;
  /**
   * The configuration that each worker gets when it starts, until a `reload`. It must survive
   * structured cloning.
   */
  readonly configuration?: unknown;
  /**
   * Resident bytes beyond which a worker is replaced; default: no limit. It must have served for
   * the slowest `backoffMs`: with a limit that none can keep, workers would otherwise replace each
   * other all the time. Its sessions finish in any time, or within the grace once its successor is
   * too large as well.
   */
  readonly maxRss?: number;
  /** A worker that was forked before these options were known, with the default heartbeat. */
  readonly ahead?: RunningWorker;
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs?: number;
  /** A worker that is silent for this many heartbeats is killed. */
  readonly hungAfter?: number;
  /** Milliseconds that a worker may take to start, on a machine that has just booted. */
  readonly startMs?: number;
  /** Milliseconds that a worker may take to finish its sessions. */
  readonly graceMs?: number;
  /**
   * Milliseconds before the first and before the slowest replacement of a worker that keeps dying.
   */
  readonly backoffMs?: readonly [first: number, slowest: number];
  /**
   * Called when the last worker has died, and the primary has let go of the listening sockets with
   * it: a service that inherited them must end, to be given them again.
   */
  readonly lastDied?: () => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Worker lifecycle events that an operator should know, and what they mean for mail and clicks. */
const EVENTS = {
  died: 'worker died: open sessions are lost, a successor starts after retryMs',
  hung: 'worker killed: its event loop stood still, open sessions are lost',
  'too-large': 'worker over worker_max_memory: its sessions finish, a successor takes new ones',
  overdue: 'worker killed: sessions did not finish in time and are lost',
} as const;

/** The number of workers; `auto` is one per core. */
export function workerCount(setting: number | 'auto'): number {
  return setting === 'auto' ? availableParallelism() : setting;
}

interface Slot {
  current?: RunningWorker;
  /** When the current worker began to serve, by performance.now(). */
  servesSince: number;
  /** Its predecessor, which finishes its sessions: each slot has at most two processes. */
  finishing?: RunningWorker | undefined;
  /** Whether the predecessor has been told to stop within the grace. */
  hurried?: boolean;
  /** Whether a successor waits or starts. */
  replacing: boolean;
  retry?: NodeJS.Timeout;
  /** Deaths in a row. */
  deaths: number;
}

/**
 * The primary's side of a service in several processes, on node:cluster. It serves no mail itself:
 * it starts the workers, watches them, replaces those that die, hang or grow, and passes orders on.
 *
 * Listening sockets are opened in the primary when the first worker listens and are shared by all
 * (SCHED_NONE): a connection is accepted by the worker that serves it and never travels through the
 * primary, which costs 100 µs of CPU per connection where round robin costs 225 (a unix socket, two
 * workers; of eight connections the busier worker got five or six, with round robin four or five).
 */
export class Workers {
  readonly #options: Required<Omit<WorkersOptions, 'configuration' | 'ahead'>> &
    Pick<WorkersOptions, 'ahead'>;
  #configuration: unknown;
  readonly #slots = new Map<number, Slot>();
  /** Successors that start, and predecessors that finish: alive, but without new sessions. */
  readonly #others = new Set<RunningWorker>();
  #tick: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor({ configuration, ...options }: WorkersOptions) {
    this.#configuration = configuration;
    this.#options = {
      maxRss: Number.POSITIVE_INFINITY,
      heartbeatMs: HEARTBEAT_MS,
      hungAfter: 15,
      startMs: START_MS,
      graceMs: 30_000,
      backoffMs: [100, 30_000],
      lastDied() {},
      ...options,
    };
    const { metrics } = options;
    metrics.gauge('workers', () => this.serving.length);
    for (const event of Object.keys(EVENTS)) metrics.count('worker_events_total', { event }, 0);
  }

  /**
   * Settles when every worker is ready, or when it was stopped before.
   * @throws WorkerFailed when one ends before it is ready; the others are stopped
   */
  async start(): Promise<void> {
    this.#tick = setInterval(() => this.#watch(), this.#options.heartbeatMs);
    const slots = Array.from({ length: this.#options.count }, (_, index) => index + 1);
    const workers = slots.map((slot) => {
      const ahead = slot === this.#options.ahead?.slot ? this.#options.ahead : undefined;
      const worker = ahead?.begin(() => this.#configuration) ?? this.#fork(slot);
      this.#slots.set(slot, {
        current: worker,
        servesSince: performance.now(),
        replacing: false,
        deaths: 0,
      });
      return worker;
    });
    try {
      await Promise.all(
        workers.map(async (worker) => {
          if (!(await worker.ready)) throw new WorkerFailed(worker.slot, await worker.ended);
        }),
      );
    } catch (error) {
      const asked = this.#stopping;
      await this.stop();
      if (asked) return;
      throw error;
    }
    for (const worker of workers) this.#install(worker);
  }

  /** The slots whose workers serve now. */
  get serving(): readonly number[] {
    return this.#current().map(({ slot }) => slot);
  }

  /**
   * Asks every worker with sessions at once; a worker that fails or is silent answers with an
   * error.
   */
  ask(what: string, withinMs: number): Promise<PromiseSettledResult<unknown>[]> {
    return Promise.allSettled(this.#withSessions().map((worker) => worker.ask(what, withinMs)));
  }

  /**
   * Has every worker take over another configuration, and what it reads from files with it: those
   * that have sessions now, those that are starting before they are counted as serving.
   * @throws Error of the first that could not
   */
  async reload(configuration: object): Promise<void> {
    this.#configuration = configuration;
    const outcomes = await Promise.allSettled(
      this.#withSessions().map((worker) => worker.reload(configuration)),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Stops every worker, each within the grace. Settles when all are gone. */
  async stop(): Promise<void> {
    await this.#settle();
    await Promise.all([...this.#all()].map((worker) => this.#stop(worker)));
    clearInterval(this.#tick);
  }

  /**
   * Has every worker stop listening, and finish what it has begun without this process, which may
   * end then.
   */
  async leave(): Promise<void> {
    await this.#settle();
    await Promise.all(
      [...this.#all()].map(async (worker) => {
        if (!(await worker.leave())) this.#report(worker, 'overdue');
      }),
    );
    clearInterval(this.#tick);
  }

  /** Ends every worker now. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#all()) worker.kill();
  }

  /**
   * Starts no more workers, and waits for those that are starting: they may have sessions, and
   * where the others stop listening before them, inherited sockets are closed under their hands.
   */
  async #settle(): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots.values()) clearTimeout(slot.retry);
    await Promise.all([...this.#all()].map((worker) => worker.ready));
  }

  #fork(slot: number, isSuccessor = false): RunningWorker {
    const { heartbeatMs, startMs } = this.#options;
    const worker = new RunningWorker(slot, heartbeatMs, startMs, isSuccessor);
    return worker.begin(() => this.#configuration);
  }

  /** Makes a ready worker the one of its slot. */
  #install(worker: RunningWorker): void {
    const slot = this.#slot(worker.slot);
    slot.current = worker;
    slot.servesSince = performance.now();
    this.#options.logger.debug(
      { event: 'ready', worker: worker.slot, workerPid: worker.pid },
      'worker ready',
    );
    inBackground('replace a dead worker', async () => {
      const end = await worker.ended;
      if (slot.current !== worker) return; // its successor was here first
      delete slot.current;
      if (this.#hasServedLong(slot)) slot.deaths = 0;
      this.#replaceDead(worker, end);
    });
  }

  #replaceDead(dead: RunningWorker, end: WorkerEnd): void {
    const slot = this.#slot(dead.slot);
    if (this.#stopping) return;
    const [first, slowest] = this.#options.backoffMs;
    // Where a successor is on its way already, it needs no other.
    const retryMs = slot.replacing ? 0 : Math.min(first * 2 ** slot.deaths++, slowest);
    const left = this.#current().length;
    this.#report(dead, 'died', { ...end, left, retryMs });
    if (left === 0) this.#options.lastDied();
    if (slot.replacing) return;
    slot.replacing = true;
    slot.retry = setTimeout(() => this.#succeedInBackground(dead.slot), retryMs);
  }

  #succeedInBackground(slot: number): void {
    inBackground('start a worker', () => this.#startSuccessor(slot));
  }

  /** The present worker of the slot, where there is one, goes when its successor is ready. */
  async #startSuccessor(number: number): Promise<void> {
    const slot = this.#slot(number);
    const successor = this.#fork(number, true);
    this.#others.add(successor);
    const failed = await successor.failure();
    this.#others.delete(successor);
    slot.replacing = false;
    if (failed !== undefined) return this.#replaceDead(successor, failed);
    const predecessor = slot.current;
    if (predecessor !== undefined) this.#others.add(predecessor);
    this.#install(successor);
    if (predecessor === undefined || this.#stopping) return; // all are being stopped
    slot.finishing = predecessor;
    slot.hurried = false;
    await predecessor.finish();
    this.#others.delete(predecessor);
    slot.finishing = undefined;
  }

  async #stop(worker: RunningWorker): Promise<void> {
    this.#others.add(worker);
    if (!(await worker.stop(this.#options.graceMs))) this.#report(worker, 'overdue');
    this.#others.delete(worker);
  }

  /**
   * Counts heartbeats missed by its own ticks, not by the clock: a machine that slept, or a service
   * that was halted as a whole, has missed none.
   */
  #watch(): void {
    const { heartbeatMs, hungAfter, maxRss } = this.#options;
    for (const worker of this.#all()) {
      if (++worker.missed <= hungAfter) continue;
      this.#report(worker, 'hung', { silentMs: worker.missed * heartbeatMs });
      worker.missed = 0;
      worker.kill();
    }
    for (const worker of this.#current()) {
      const slot = this.#slot(worker.slot);
      if (worker.rss <= maxRss || slot.replacing || this.#stopping) continue;
      if (!this.#hasServedLong(slot)) continue;
      const older = slot.finishing;
      if (older !== undefined) {
        // Both are too large: the older one has to make room, and then this one can be replaced.
        if (!slot.hurried) inBackground('stop a worker', () => this.#stop(older));
        slot.hurried = true;
        continue;
      }
      this.#report(worker, 'too-large', { rss: worker.rss });
      slot.replacing = true;
      this.#succeedInBackground(worker.slot);
    }
  }

  /** So long that an event now has nothing to do with its start. */
  #hasServedLong({ servesSince }: Slot): boolean {
    return performance.now() - servesSince > this.#options.backoffMs[1];
  }

  #current(): RunningWorker[] {
    return [...this.#slots.values()].flatMap((slot) => slot.current ?? []);
  }

  #withSessions(): RunningWorker[] {
    const finishing = [...this.#slots.values()].flatMap((slot) => slot.finishing ?? []);
    return [...this.#current(), ...finishing];
  }

  #all(): Set<RunningWorker> {
    return new Set([...this.#current(), ...this.#others]);
  }

  #slot(number: number): Slot {
    const slot = this.#slots.get(number);
    if (slot === undefined) throw new RangeError(`no worker ${number}`);
    return slot;
  }

  #report(worker: RunningWorker, event: keyof typeof EVENTS, fields: Fields = {}): void {
    const { logger, metrics } = this.#options;
    metrics.count('worker_events_total', { event });
    // Every line has the pid of its writer already.
    logger.error({ event, worker: worker.slot, workerPid: worker.pid, ...fields }, EVENTS[event]);
  }
}
