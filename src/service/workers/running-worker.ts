import cluster, { type Worker } from 'node:cluster';
import {
  type FromWorker,
  HEARTBEAT,
  readFromWorker,
  SLOT,
  SUCCESSOR,
  type ToWorker,
} from './worker-messages.ts';

/** How one worker process ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it never came to be a process, or not to serve. */
  readonly error?: string;
}

/** A worker ended before it was ready for the first time: the service cannot start. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
  /** The worker's exit code, to be passed on; 1 where a signal ended it. */
  readonly exitCode: number;

  constructor(slot: number, end: WorkerEnd) {
    const how = end.error ?? end.signal ?? `exit code ${end.code}`;
    super(`worker ${slot} ended while starting (${how})`);
    this.exitCode = end.code || 1;
  }
}

/**
 * Milliseconds between heartbeats, and those a worker may take to start, on a machine that has just
 * booted.
 */
export const HEARTBEAT_MS = 1_000;
export const START_MS = 60_000;

/** Milliseconds a worker may take to take over another configuration, and to stop listening. */
const RELOAD_MS = 5_000;
const LEAVE_MS = 5_000;

/** One worker process as the primary sees it, from fork to exit. */
export class RunningWorker {
  readonly slot: number;
  readonly pid: number;
  /** Resident size in bytes at the last heartbeat. */
  rss = 0;
  /** The configuration in use now; absent until `begin`. */
  #latest: (() => unknown) | undefined;
  /** The configuration that it was given at its start, or has taken over since. */
  #configuration: unknown;
  /** Whether it has asked for its configuration. */
  #asked = false;
  /**
   * Ticks of the primary since the last heartbeat; see `Slot.watch`. Below 0 while it may still be
   * starting.
   */
  missed: number;
  /** Settles with true when the worker listens, with false when it ended before that. */
  readonly ready: Promise<boolean>;
  readonly ended: Promise<WorkerEnd>;
  /** Absent where it could not be forked. */
  readonly #worker: Worker | undefined;
  readonly #questions = new Map<number, (answer: FromWorker) => void>();
  #nextId = 1;
  #gone = false;
  /** The last order to end. */
  #told: ToWorker | undefined;

  /**
   * Forks it. It loads the program, and waits for `begin`.
   * @param heartbeatMs milliseconds between its heartbeats
   * @param startMs how long it may take to its first heartbeat, beyond what is a hang later
   * @param isSuccessor whether it replaces another worker
   */
  constructor(slot: number, heartbeatMs = HEARTBEAT_MS, startMs = START_MS, isSuccessor = false) {
    this.slot = slot;
    this.missed = -Math.ceil(startMs / heartbeatMs);
    const forked = fork({
      [SLOT]: slot,
      [HEARTBEAT]: heartbeatMs,
      [SUCCESSOR]: isSuccessor ? '1' : '',
    });
    const worker = forked instanceof Error ? undefined : forked;
    this.#worker = worker;
    this.pid = worker?.process.pid ?? 0;
    this.ended = new Promise((resolve) => {
      const end = (how: WorkerEnd) => {
        this.#gone = true;
        resolve(how);
      };
      const failedToFork = ({ message }: Error) =>
        end({ code: null, signal: null, error: message });
      if (forked instanceof Error) failedToFork(forked);
      worker?.once('exit', (code: number | null, signal: string | null) => end({ code, signal }));
      worker?.on('error', (error: Error) => {
        // A channel that breaks is followed by the exit; a process that was never forked has no
        // exit.
        if (worker.process.pid === undefined) failedToFork(error);
      });
    });
    this.ready = new Promise((resolve, reject) => {
      worker?.on('message', (message: unknown) => {
        const said = readFromWorker(message);
        if (said === undefined) return;
        this.missed = 0;
        if (said.clickmilter === 'alive') {
          this.rss = said.rss;
          if (this.#told) this.#say(this.#told); // it may not have been listening the first time
        } else if (said.clickmilter === 'hello') {
          this.#asked = true;
          if (this.#latest) this.#giveConfiguration(this.#latest());
        } else if (said.clickmilter === 'ready') resolve(true);
        else this.#questions.get(said.id)?.(said);
      });
      this.ended.then(() => resolve(false), reject);
    });
  }

  get begun(): boolean {
    return this.#latest !== undefined;
  }

  /** Lets it serve. @param latest the configuration in use now */
  begin(latest: () => unknown): this {
    this.#latest = latest;
    if (this.#asked) this.#giveConfiguration(latest());
    return this;
  }

  #giveConfiguration(configuration: unknown): void {
    this.#configuration = configuration;
    this.#say({ clickmilter: 'begin', configuration });
  }

  /**
   * Has the worker take over another configuration.
   * @throws Error where it cannot, is silent or ends
   */
  async reload(configuration: unknown): Promise<void> {
    await this.ask('reload', RELOAD_MS, configuration);
    this.#configuration = configuration;
  }

  /**
   * Waits until the worker serves with the configuration in use.
   * @returns how it ended; undefined where it serves
   */
  async failure(): Promise<WorkerEnd | undefined> {
    if (!(await this.ready)) return this.ended;
    try {
      // Reloads in the meantime have asked only workers that served.
      while (this.#configuration !== this.#latest?.()) await this.reload(this.#latest?.());
      return undefined;
    } catch (error) {
      this.kill();
      return { ...(await this.ended), error: (error as Error).message };
    }
  }

  /**
   * @param withinMs how long to wait for the answer
   * @throws Error where the worker says so, falls silent or ends
   */
  async ask(what: string, withinMs: number, value?: unknown): Promise<unknown> {
    const id = this.#nextId++;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<FromWorker>((resolve, reject) => {
        const fail = (why: string) => reject(new Error(`worker ${this.slot}: ${what}: ${why}`));
        timer = setTimeout(fail, withinMs, `no answer within ${withinMs} ms`);
        this.#questions.set(id, resolve);
        this.ended.then(() => fail('the worker ended'), reject);
        this.#say({ clickmilter: 'ask', id, what, value });
      });
      if ('error' in answer) throw new Error(`worker ${this.slot}: ${what}: ${answer.error}`);
      return 'value' in answer ? answer.value : undefined;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(id);
    }
  }

  /**
   * Asks the worker to finish what it has begun, however long that takes. Settles when it has
   * ended.
   */
  async finish(): Promise<void> {
    this.#order({ clickmilter: 'finish' });
    await this.ended;
  }

  /**
   * Asks the worker to finish what it has begun, and ends it where it does not.
   * @returns whether it went by itself
   */
  stop(graceMs: number): Promise<boolean> {
    this.#order({ clickmilter: 'stop' });
    return this.#endedWithin(graceMs, this.ended);
  }

  /**
   * Asks the worker to stop listening and to finish without this process, which may end from then
   * on. Ends it where it does not answer.
   * @returns whether it has left, or ended by itself
   */
  async leave(): Promise<boolean> {
    this.#order({ clickmilter: 'leave' });
    const left = new Promise<void>((resolve) => this.#worker?.once('disconnect', () => resolve()));
    const inTime = await this.#endedWithin(LEAVE_MS, Promise.race([left, this.ended]));
    this.#worker?.process.unref();
    return inTime;
  }

  async #endedWithin(ms: number, end: Promise<unknown>): Promise<boolean> {
    let inTime = true;
    const timer = setTimeout(() => {
      inTime = false;
      this.kill();
    }, ms);
    await end;
    clearTimeout(timer);
    return inTime;
  }

  kill(): void {
    this.#worker?.process.kill('SIGKILL');
  }

  #order(order: ToWorker): void {
    this.#told = order;
    this.#say(order);
  }

  #say(message: ToWorker): void {
    if (!this.#gone && this.#worker?.isConnected()) this.#worker.send(message, () => {});
  }
}

/**
 * node:child_process emits an error where there may be no more processes (EAGAIN), but throws it
 * without memory (ENOMEM).
 */
function fork(env: Readonly<Record<string, unknown>>): Worker | Error {
  try {
    cluster.schedulingPolicy = cluster.SCHED_NONE; // see Workers
    cluster.setupPrimary({ serialization: 'advanced' }); // metrics hold NaN, which JSON does not
    return cluster.fork(env);
  } catch (error) {
    return error as Error;
  }
}
