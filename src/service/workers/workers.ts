import { availableParallelism } from 'node:os';
import { HEARTBEAT_MS, type RunningWorker, START_MS } from './running-worker.ts';
import { Slot, type SlotOptions } from './slot.ts';

/** The options of slots may be left out: the constructor has their defaults. */
export interface WorkersOptions
  extends Partial<Omit<SlotOptions, 'logger' | 'metrics'>>,
    Pick<SlotOptions, 'logger' | 'metrics'> {
  /** The number of workers. */
  readonly count: number;
  /**
   * The configuration that each worker gets when it starts, until a `reload`. It must survive
   * structured cloning.
   */
  readonly configuration?: unknown;
  /** A worker that was forked before these options were known, with the default heartbeat. */
  readonly ahead?: RunningWorker;
}

/** The number of workers; `auto` is one per core. */
export function workerCount(setting: number | 'auto'): number {
  return setting === 'auto' ? availableParallelism() : setting;
}

/**
 * The primary's side of a service in several processes, on node:cluster. It serves no mail itself:
 * it starts the workers, replaces those that die, hang or grow, and passes orders on.
 *
 * Listening sockets are opened in the primary when the first worker listens and are shared by all
 * (SCHED_NONE): a connection is accepted by the worker that serves it and never travels through the
 * primary, which costs 100 µs of CPU per connection where round robin costs 225 (a unix socket, two
 * workers; of eight connections the busier worker got five or six, with round robin four or five).
 */
export class Workers {
  readonly #slots: readonly Slot[];
  readonly #ahead: RunningWorker | undefined;
  readonly #heartbeatMs: number;
  #configuration: unknown;
  #tick: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor({ count, configuration, ahead, ...options }: WorkersOptions) {
    this.#configuration = configuration;
    this.#ahead = ahead;
    const slotOptions: SlotOptions = {
      maxRss: Number.POSITIVE_INFINITY,
      heartbeatMs: HEARTBEAT_MS,
      hungAfter: 15,
      startMs: START_MS,
      graceMs: 30_000,
      backoffMs: [100, 30_000],
      lastDied() {},
      ...options,
    };
    this.#heartbeatMs = slotOptions.heartbeatMs;
    const pool = {
      configuration: () => this.#configuration,
      isStopping: () => this.#stopping,
      serving: () => this.serving.length,
    };
    this.#slots = Array.from(
      { length: count },
      (_, index) => new Slot(index + 1, pool, slotOptions),
    );
    options.metrics.gauge('workers', pool.serving);
  }

  /**
   * Settles when every worker is ready, or when it was stopped before.
   * @throws WorkerFailed when one ends before it is ready; the others are stopped
   */
  async start(): Promise<void> {
    this.#tick = setInterval(() => {
      for (const slot of this.#slots) slot.watch();
    }, this.#heartbeatMs);
    try {
      const installs = await this.#each((slot) =>
        slot.start(slot.number === this.#ahead?.slot ? this.#ahead : undefined),
      );
      for (const install of installs) install();
    } catch (error) {
      const asked = this.#stopping;
      await this.stop();
      if (!asked) throw error;
    }
  }

  /** The slots whose workers serve now. */
  get serving(): readonly number[] {
    return this.#slots.filter(({ current }) => current !== undefined).map(({ number }) => number);
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
    await this.#each((slot) => slot.stop());
    clearInterval(this.#tick);
  }

  /**
   * Has every worker stop listening, and finish what it has begun without this process, which may
   * end then.
   */
  async leave(): Promise<void> {
    await this.#settle();
    await this.#each((slot) => slot.leave());
    clearInterval(this.#tick);
  }

  /** Ends every worker now. */
  kill(): void {
    this.#stopping = true;
    for (const slot of this.#slots) slot.kill();
  }

  /**
   * Starts no more workers, and waits for those that are starting: they may have sessions, and
   * where the others stop listening before them, inherited sockets are closed under their hands.
   */
  async #settle(): Promise<void> {
    this.#stopping = true;
    await this.#each((slot) => slot.settle());
  }

  #each<T>(action: (slot: Slot) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#slots.map(action));
  }

  #withSessions(): readonly RunningWorker[] {
    return this.#slots.flatMap((slot) => slot.withSessions);
  }
}
