import { Cluster } from 'ioredis';
import type { Logger } from '../../lib/logger.ts';
import { type GivenUp, StoreUnavailable } from '../../link/link-store.ts';
import { createClient, describeRedis, type RedisClient, type RedisOptions } from './client.ts';
import { Keys } from './keys.ts';

/** Common errors of Redis, and what operators can do about them. */
const HINTS: readonly (readonly [prefix: string, hint: string])[] = [
  ['MOVED', 'this is a node of a cluster: name its nodes in redis { nodes }'],
  ['READONLY', 'this is a replica: name the master, or its sentinels'],
  ['OOM', 'its memory is full: raise maxmemory'],
  ['MISCONF', 'it cannot write its snapshots: see its log'],
  ['NOAUTH', 'it wants a password: redis { password }'],
  ['WRONGPASS', 'see redis { username password }'],
  ['ERR DB index', 'it has no such database: see redis { url database }'],
  ['WRONGTYPE', 'another program wrote to a key that begins with redis { key_prefix }'],
  ['NOPERM', 'its ACL does not let this user do what is needed'],
];

const CLOSED = 'the connection was closed';
/** Reasons that are logged of one outage. */
const MAX_REASONS = 5;

/** A command whose answer is outstanding. */
interface Waiting {
  readonly deadline: number;
  readonly givenUp: GivenUp | undefined;
  readonly reject: (error: StoreUnavailable) => void;
}

/** How often waiting commands are checked; a command may be given up so much late. */
const SWEEP_MS = 50;
/** How often reads are checked that wait for data; they wait most of the time. */
const BLOCKING_SWEEP_MS = 1_000;
/** How often a replica is asked whether it takes writes now. */
const PROBE_MS = 1_000;

/** Logs outages of Redis, each once over all connections that notice it. */
export class OutageLog {
  readonly #logger: Logger;
  readonly #away = new Map<RedisConnection, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** To be called when a connection is lost, and again when it learns why it stays lost. */
  lost(connection: RedisConnection, reason: string): void {
    const isKnown = [...this.#away.values()].includes(reason);
    this.#away.set(connection, reason);
    if (!isKnown) this.#logger.error({ reason }, 'Redis is not available');
  }

  restored(connection: RedisConnection): void {
    if (this.#away.delete(connection) && this.#away.size === 0) {
      this.#logger.info('Redis answers again');
    }
  }
}

/**
 * One connection to one server, Sentinel or Cluster. Every command is bounded by the command
 * time-out. Commands wait out a short break; once Redis has been away for longer, they fail at once
 * instead of making mail wait.
 */
export class RedisConnection {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly #where: string;
  readonly #timeoutMs: number;
  readonly #sweepMs: number;
  /** By performance.now, as all times here: the wall clock may jump. */
  #awaySince: number | undefined;
  readonly #waiting = new Set<Waiting>();
  #sweeper: NodeJS.Timeout | undefined;
  #gathering = false;
  #losses = 0;
  #lastError = CLOSED;
  #prober: NodeJS.Timeout | undefined;

  constructor(
    options: RedisOptions,
    {
      blocking = false,
      outages,
    }: {
      /** For reads that wait for data. */
      readonly blocking?: boolean;
      readonly outages?: OutageLog;
    } = {},
  ) {
    this.client = createClient(options, blocking);
    this.keys = new Keys(options.keyPrefix);
    this.#where = describeRedis(options);
    this.#timeoutMs = options.commandTimeoutMs;
    this.#sweepMs = blocking ? BLOCKING_SWEEP_MS : SWEEP_MS;
    /** Reasons of one outage: why a connection cannot be made again is known only later. */
    const reasons = new Set<string>();
    const log = () => {
      if (reasons.has(this.#lastError) || reasons.size >= MAX_REASONS) return;
      reasons.add(this.#lastError);
      outages?.lost(this, this.#unavailable(this.#lastError).message);
    };
    const away = () => {
      this.#losses++;
      if (this.#awaySince !== undefined) return;
      this.#awaySince = performance.now();
      log();
    };
    this.client.on('error', (error: Error & { command?: { name?: string } }) => {
      this.#lastError = this.#reasonOf(error);
      if (this.#awaySince !== undefined) log();
      // ioredis would go on with database 0, which may be another service's.
      if (error.command?.name === 'select' && !(this.client instanceof Cluster)) {
        // The client connects again as after any loss.
        this.client.stream.destroy();
      }
    });
    this.client.on('close', away);
    const isBack = () => {
      reasons.clear();
      this.#lastError = CLOSED;
      outages?.restored(this);
    };
    // A replica answers too, and is left again with the next write: one outage, until it takes one.
    const probe = () => {
      clearTimeout(this.#prober);
      this.client.set(this.keys.probe, '', 'PX', PROBE_MS).then(isBack, () => {
        if (this.client.status !== 'end') this.#prober = setTimeout(probe, PROBE_MS).unref();
      });
    };
    this.client.on('ready', () => {
      this.#awaySince = undefined;
      if (outages !== undefined && isReadOnly(this.#lastError)) probe();
      else isBack();
    });
  }

  get isCluster(): boolean {
    return this.client.isCluster;
  }

  /**
   * How often a connection has been lost so far: the server behind the next one may have less data.
   */
  get losses(): number {
    return this.#losses;
  }

  /**
   * Sends commands and waits for their answers.
   * @param send sends one command or several
   * @param givenUp ends the waiting, within some milliseconds
   * @param waitMs how long the command itself makes Redis wait for data
   * @throws StoreUnavailable when there is no good answer in time
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
          const reason = this.#reasonOf(error);
          // The client connects again after it, to the new master.
          if (isReadOnly(reason)) this.#lastError = reason;
          reject(this.#unavailable(reason, error));
        },
      );
    });
  }

  /**
   * One timer for all commands while there are any: a timer per command would cost as much as the
   * command.
   */
  readonly #sweep = () => {
    const now = performance.now();
    const isAway = this.#awaySince !== undefined;
    const whyLate = isAway ? this.#lastError : `no answer within ${this.#timeoutMs} ms`;
    for (const waiting of this.#waiting) {
      const late = waiting.deadline <= now;
      if (!late && !waiting.givenUp?.aborted) continue;
      this.#waiting.delete(waiting);
      waiting.reject(this.#unavailable(late ? whyLate : 'given up'));
    }
    this.#sweeper = this.#waiting.size > 0 ? setTimeout(this.#sweep, this.#sweepMs) : undefined;
  };

  /**
   * Holds commands back until the end of this turn of the event loop, so that one system call sends
   * all of them. Under load, a system call per command is the largest cost, here and in Redis.
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

  /**
   * Sends the commands that are held back: the sooner Redis begins, the more of its work overlaps
   * with ours.
   */
  sendNow(): void {
    if (!(this.client instanceof Cluster)) this.client.stream?.uncork();
  }

  close(): void {
    clearTimeout(this.#prober);
    this.client.removeAllListeners('close');
    this.client.disconnect();
  }

  #unavailable(reason: string, cause?: unknown): StoreUnavailable {
    const hint = HINTS.find(([prefix]) => reason.startsWith(prefix))?.[1];
    const text = `${this.#where}: ${reason}${hint === undefined ? '' : ` (${hint})`}`;
    return new StoreUnavailable(text, cause === undefined ? undefined : { cause });
  }

  /**
   * The reason of an error. Where ioredis only says that it gave up its queue, or that all nodes of
   * a cluster failed, the last error says more.
   */
  #reasonOf(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    if (error.name === 'MaxRetriesPerRequestError') return this.#lastError;
    const last = 'lastNodeError' in error ? error.lastNodeError : undefined;
    return last instanceof Error ? last.message : error.message;
  }
}

function isReadOnly(reason: string): boolean {
  return reason.startsWith('READONLY');
}

/** Whether an error is an answer of Redis, and not the lack of one. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Whether Redis refuses the command itself: the ACL user may not use it, or the server lacks it. */
export function isCommandRefused(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/.test(error.message);
}
