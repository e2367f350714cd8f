import { Cluster } from 'ioredis';
import { type GivenUp, StoreUnavailable } from '../../link/link-store.ts';
import { createClient, describeRedis, type RedisClient } from './client.ts';
import type { RedisOptions } from './options.ts';

/** What operators most often have to do about an error of Redis. */
const HINTS: readonly (readonly [prefix: string, hint: string])[] = [
  ['MOVED', 'this is a node of a cluster: name its nodes in redis { nodes }'],
  ['READONLY', 'this is a replica: name the master, or its sentinels'],
  ['OOM', 'its memory is full: raise maxmemory'],
  ['MISCONF', 'it cannot write its snapshots: see its log'],
  ['NOAUTH', 'it wants a password: redis { password }'],
  ['WRONGPASS', 'see redis { username password }'],
  ['ERR DB index', 'it has no such database: see redis { url database }'],
  ['NOPERM', 'its ACL does not let this user do what is needed'],
];

const CLOSED = 'the connection was closed';
/** Reasons told of one outage. */
const MAX_REASONS = 5;

/** A command whose answer is waited for. */
interface Waiting {
  readonly deadline: number;
  readonly givenUp: GivenUp | undefined;
  readonly reject: (error: StoreUnavailable) => void;
}

/** How often waiting commands are looked at: so much later than asked they may be given up. */
const SWEEP_MS = 50;
/** The same of reads that wait for data, as they do most of the time: nobody is to be woken up for that. */
const BLOCKING_SWEEP_MS = 1_000;

/**
 * One connection to Redis of whatever shape. Every command is bounded by the command time-out; a short break is waited
 * out, and once Redis has been away for longer than that, commands fail at once instead of making mail wait.
 */
export class RedisConnection {
  readonly client: RedisClient;
  readonly #where: string;
  readonly #timeoutMs: number;
  readonly #sweepMs: number;
  /** By performance.now, as all times here: the clock may jump. */
  #awaySince: number | undefined;
  readonly #waiting = new Set<Waiting>();
  #sweeper: NodeJS.Timeout | undefined;
  #gathering = false;
  #losses = 0;
  #lastError = CLOSED;

  constructor(
    options: RedisOptions,
    {
      blocking = false,
      onConnection,
    }: {
      /** For reads that wait for data. */
      readonly blocking?: boolean;
      readonly onConnection?: ((unavailable: string | undefined) => void) | undefined;
    } = {},
  ) {
    this.client = createClient(options, blocking);
    this.#where = describeRedis(options);
    this.#timeoutMs = options.commandTimeoutMs;
    this.#sweepMs = blocking ? BLOCKING_SWEEP_MS : SWEEP_MS;
    /** Reasons of one outage that were told: why a connection cannot be made again is known only later. */
    const told = new Set<string>();
    const tell = () => {
      if (told.has(this.#lastError) || told.size >= MAX_REASONS) return;
      told.add(this.#lastError);
      onConnection?.(this.#unavailable(this.#lastError).message);
    };
    const away = () => {
      this.#losses++;
      if (this.#awaySince !== undefined) return;
      this.#awaySince = performance.now();
      tell();
    };
    this.client.on('error', (error: Error & { command?: { name?: string } }) => {
      this.#lastError = this.#reasonOf(error);
      if (this.#awaySince !== undefined) tell();
      // ioredis would go on with database 0, which may be another service's.
      if (error.command?.name === 'select') this.#leave();
    });
    this.client.on('close', away);
    this.client.on('ready', () => {
      const wasAway = this.#awaySince !== undefined;
      this.#awaySince = undefined;
      told.clear();
      this.#lastError = CLOSED;
      if (wasAway) onConnection?.(undefined);
    });
  }

  get isCluster(): boolean {
    return this.client.isCluster;
  }

  /** How often a connection has been lost so far: the server behind the next one may know less. */
  get losses(): number {
    return this.#losses;
  }

  /**
   * @param send sends a command, or some, whose answers are waited for
   * @param givenUp ends the waiting, within some milliseconds
   * @param waitMs how long Redis itself has been told to wait for data
   * @throws StoreUnavailable for whatever reason there is no good answer in time
   */
  run<T>(send: (client: RedisClient) => Promise<T>, givenUp?: GivenUp, waitMs = 0): Promise<T> {
    if (this.#awaySince !== undefined && performance.now() - this.#awaySince > this.#timeoutMs) {
      return Promise.reject(this.#unavailable(this.#lastError));
    }
    if (givenUp?.aborted) return Promise.reject(this.#unavailable('given up'));
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#timeoutMs + waitMs;
      const waiting: Waiting = { deadline, givenUp, reject };
      this.#waiting.add(waiting);
      this.#sweeper ??= setTimeout(this.#sweep, this.#sweepMs);
      this.#gatherWrites();
      send(this.client).then(
        (value) => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        (error: unknown) => {
          this.#waiting.delete(waiting);
          reject(this.#unavailable(this.#reasonOf(error), error));
        },
      );
    });
  }

  /** One timer for all commands, while there are any: a timer and a listener each would cost as much as the command. */
  readonly #sweep = () => {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      const late = waiting.deadline <= now;
      if (!late && !waiting.givenUp?.aborted) continue;
      this.#waiting.delete(waiting);
      const reason = late ? this.#whyLate() : 'given up';
      waiting.reject(this.#unavailable(reason));
    }
    this.#sweeper = this.#waiting.size > 0 ? setTimeout(this.#sweep, this.#sweepMs) : undefined;
  };

  #whyLate(): string {
    // Where there is no connection, why there is none.
    if (this.#awaySince !== undefined) return this.#lastError;
    return `no answer within ${this.#timeoutMs} ms`;
  }

  /**
   * Holds commands back until the end of this turn of the event loop, so that all of them go out in one system call.
   * Under load, one call a command is what costs most, here and in Redis.
   */
  #gatherWrites(): void {
    if (this.#gathering || this.client instanceof Cluster) return;
    const { stream } = this.client;
    // Before the first connection there is none.
    if (!stream) return;
    this.#gathering = true;
    stream.cork();
    setImmediate(() => {
      this.#gathering = false;
      stream.uncork();
    });
  }

  /** Closes the connection; the next one is made as after any loss. */
  #leave(): void {
    if (this.client instanceof Cluster) return;
    this.client.stream.destroy();
  }

  close(): void {
    this.client.removeAllListeners('close');
    this.client.disconnect();
  }

  #unavailable(reason: string, cause?: unknown): StoreUnavailable {
    const hint = HINTS.find(([prefix]) => reason.startsWith(prefix))?.[1];
    const text = `${this.#where}: ${reason}${hint === undefined ? '' : ` (${hint})`}`;
    return new StoreUnavailable(text, cause === undefined ? undefined : { cause });
  }

  /**
   * ioredis says of a queue it gave up that it gave it up, of a cluster that all nodes failed: the last error says
   * more.
   */
  #reasonOf(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    if (error.name === 'MaxRetriesPerRequestError') return this.#lastError;
    const last = 'lastNodeError' in error ? error.lastNodeError : undefined;
    return last instanceof Error ? last.message : error.message;
  }
}
