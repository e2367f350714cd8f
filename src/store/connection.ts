import { Cluster } from 'ioredis';
import { StoreUnavailable } from '../link/link-store.ts';
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
  ['NOPERM', 'its ACL does not let this user do what is needed'],
];

/**
 * One connection to Redis of whatever shape. Every command is bounded by the command time-out; a short break is waited
 * out, and once Redis has been away for longer than that, commands fail at once instead of making mail wait.
 */
export class RedisConnection {
  readonly client: RedisClient;
  readonly #where: string;
  readonly #timeoutMs: number;
  #awaySince: number | undefined;
  #gathering = false;
  #losses = 0;
  #lostListener = () => {};
  #lastError = 'the connection was closed';

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
    const away = () => {
      this.#losses++;
      this.#lostListener();
      if (this.#awaySince !== undefined) return;
      this.#awaySince = Date.now();
      onConnection?.(`${this.#where}: ${this.#lastError}`);
    };
    this.client.on('error', (error: Error) => {
      this.#lastError = this.#reasonOf(error);
    });
    this.client.on('close', away);
    this.client.on('ready', () => {
      const wasAway = this.#awaySince !== undefined;
      this.#awaySince = undefined;
      if (wasAway) onConnection?.(undefined);
    });
  }

  get isCluster(): boolean {
    return this.client.isCluster;
  }

  /** How often a connection has been lost so far. */
  get losses(): number {
    return this.#losses;
  }

  /** @param listener called whenever a connection has been lost: the server behind the next one may know less */
  onLost(listener: () => void): void {
    this.#lostListener = listener;
  }

  /**
   * @param send sends a command, or some, whose answers are waited for
   * @param waitMs how long Redis itself has been told to wait for data
   * @throws StoreUnavailable for whatever reason there is no good answer in time
   */
  run<T>(send: (client: RedisClient) => Promise<T>, signal?: AbortSignal, waitMs = 0): Promise<T> {
    if (this.#awaySince !== undefined && Date.now() - this.#awaySince > this.#timeoutMs) {
      return Promise.reject(this.#unavailable(this.#lastError));
    }
    if (signal?.aborted) return Promise.reject(this.#unavailable('given up'));
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      };
      const giveUp = () => {
        settle();
        reject(this.#unavailable('given up'));
      };
      const timer = setTimeout(() => {
        settle();
        reject(this.#unavailable(`no answer within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs + waitMs);
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#gatherWrites();
      send(this.client).then(
        (value) => {
          settle();
          resolve(value);
        },
        (error: unknown) => {
          settle();
          reject(this.#unavailable(this.#reasonOf(error), error));
        },
      );
    });
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
