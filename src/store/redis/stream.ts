import { inBackground } from '../../lib/background.ts';
import { firstWithin } from '../../lib/first-within.ts';
import { timeOfEvent } from '../event-line.ts';
import type { ClickAppender, ClickDraft, SignSettings } from '../events.ts';
import type { RecentClicks } from '../recent-clicks.ts';
import { mastersOf, type RedisClient } from './client.ts';
import { isReply, type RedisConnection } from './connection.ts';
import { eventsOf } from './event-reader.ts';
import { type Entry, entryArguments, RECORD } from './recent-clicks-script.ts';

/** Limits of the click stream, roughly; beyond them the oldest entries are dropped. */
export interface StreamLimits {
  readonly streamMaxLength: number;
  /** Bytes; never more than a quarter of Redis' maxmemory, which links need more urgently. */
  readonly streamMaxSize: number;
}

/** The present contents of a stream. */
export interface StreamUsage {
  readonly length: number;
  /** Absent where Redis does not say. */
  readonly bytes?: number;
}

/** Events, and bytes of them, in one command. */
const CHUNK = 100;
const CHUNK_BYTES = 1024 * 1024;
/**
 * The stream is measured after this share of its limit was appended: measuring takes Redis 13 ms
 * per GiB.
 */
const SHARE_BETWEEN_CHECKS = 1 / 64;
/** The share to which a full stream is trimmed, so that it is not full again at once. */
const SHARE_TO_KEEP = 15 / 16;
const SHARE_OF_MAXMEMORY = 1 / 4;
/** Each round drops twice as many entries as the one before: the oldest may be the smallest. */
const MAX_ROUNDS = 12;

/**
 * The click stream in Redis: one entry per click, with one field `event` that holds the JSON. One
 * command appends the events that come at the same time: under load, commands are the largest cost
 * of an event. Redis bounds streams only by their entries; this class bounds their bytes as well.
 */
export class RedisStream implements ClickAppender {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #limits: StreamLimits & SignSettings;
  readonly #recent: RecentClicks;
  #gathered: Entry[] = [];
  #appended: Promise<void> | undefined;
  /** Bytes appended since the last check; at first the size is not known. */
  #unchecked = Number.POSITIVE_INFINITY;
  #trimming = false;

  /** @param recent what this process remembers of clicks, where Redis refuses to */
  constructor(
    connection: RedisConnection,
    limits: StreamLimits & SignSettings,
    recent: RecentClicks,
  ) {
    this.#connection = connection;
    this.#key = connection.keys.events;
    this.#limits = limits;
    this.#recent = recent;
  }

  append(events: readonly string[]): Promise<void> {
    return this.#gather(events);
  }

  record(click: ClickDraft): Promise<void> {
    return this.#gather([this.#limits.automaticWithinMs > 0 ? click : this.#recent.finish(click)]);
  }

  headSeen(link: string): void {
    if (this.#limits.automaticWithinMs === 0) return;
    inBackground('remember a HEAD request', () => this.#gather([{ head: link }]).catch(() => {}));
  }

  #gather(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) this.#gathered.push(entry);
    // In the next tick, when everything that can go on by now has done so.
    this.#appended ??= new Promise((resolve, reject) => {
      process.nextTick(() => {
        this.#appendGathered().then(resolve, reject);
        this.#connection.sendNow();
      });
    });
    return this.#appended;
  }

  async #appendGathered(): Promise<void> {
    const entries = this.#gathered;
    this.#gathered = [];
    this.#appended = undefined;
    for (let start = 0; start < entries.length; ) {
      const chunk = firstWithin(entries.slice(start, start + CHUNK), textOf, CHUNK, CHUNK_BYTES);
      start += chunk.length;
      await this.#send(chunk);
      this.#checkSize(chunk.reduce((sum, entry) => sum + textOf(entry).length, 0));
    }
  }

  #send(entries: readonly Entry[]): Promise<unknown> {
    const { streamMaxLength, automaticWithinMs } = this.#limits;
    const { keys } = this.#connection;
    const [only] = entries;
    return this.#connection.run((client) =>
      typeof only === 'string' && entries.length === 1
        ? this.#addEach(client, [only])
        : client
            .eval(
              RECORD,
              3,
              this.#key,
              ...keys.recentClicks,
              streamMaxLength,
              Math.max(1, automaticWithinMs),
              ...entryArguments(entries),
            )
            .catch((error: unknown) => {
              // It may lack a right, or a foreign value may be in the way.
              if (!isReply(error)) throw error;
              return this.#addEach(client, this.#completed(entries));
            }),
    );
  }

  /** The events, with what this process remembers. */
  #completed(entries: readonly Entry[]): readonly string[] {
    return entries.flatMap((entry) => {
      if (typeof entry === 'string') return entry;
      if (!('head' in entry)) return this.#recent.finish(entry);
      this.#recent.headSeen(entry.head);
      return [];
    });
  }

  /**
   * For single events, and the fallback when the ACL forbids EVAL: twice the CPU, but no click is
   * lost.
   */
  #addEach(client: RedisClient, events: readonly string[]): Promise<unknown> {
    const { streamMaxLength } = this.#limits;
    return Promise.all(
      events.map((event) =>
        client.xadd(this.#key, 'MAXLEN', '~', streamMaxLength, '*', 'event', event),
      ),
    );
  }

  #checkSize(appended: number): void {
    this.#unchecked += appended;
    if (this.#trimming || this.#unchecked < this.#limits.streamMaxSize * SHARE_BETWEEN_CHECKS) {
      return;
    }
    this.#unchecked = 0;
    this.#trimming = true;
    inBackground('trim the click stream', () =>
      this.#trim().finally(() => {
        this.#trimming = false;
      }),
    );
  }

  async #trim(): Promise<void> {
    const limit = await this.#byteLimit();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // In this order: if another process trims in between, this one keeps too much, and checks
      // again.
      const length = await this.#length();
      const bytes = await this.#bytes();
      if (bytes <= limit) return;
      const excess = 1 - (limit * SHARE_TO_KEEP) / bytes;
      const keep = Math.floor(length * (1 - Math.min(excess * 2 ** round, Math.max(excess, 0.5))));
      await this.#connection.run((client) => client.xtrim(this.#key, 'MAXLEN', keep));
    }
  }

  async #byteLimit(): Promise<number> {
    const info = await this.#connection
      .run((client) => Promise.all(mastersOf(client).map((server) => server.info('memory'))))
      .catch(() => []);
    const memories = info.flatMap((text) => Number(/^maxmemory:(\d+)/m.exec(text)?.[1] ?? 0) || []);
    return Math.min(
      this.#limits.streamMaxSize,
      ...memories.map((memory) => memory * SHARE_OF_MAXMEMORY),
    );
  }

  #length(): Promise<number> {
    return this.#connection.run((client) => client.xlen(this.#key));
  }

  /** The memory that the stream takes in Redis. */
  async #bytes(): Promise<number> {
    const bytes = await this.#connection.run((client) =>
      client.call('MEMORY', 'USAGE', this.#key, 'SAMPLES', 0),
    );
    return Number(bytes ?? 0);
  }

  /**
   * Removes the entries of before a time, a portion at a time, up to the first that stays. The id of
   * an entry is its time, but ids only go forward: where the clock was ahead, the event tells.
   * @throws StoreUnavailable
   */
  async removeBefore(time: number): Promise<number> {
    const now = Date.now();
    let removed = 0;
    for (let start = '-'; ; ) {
      const entries = await this.#connection.run((client) =>
        client.xrange(this.#key, start, '+', 'COUNT', CHUNK),
      );
      const timed = eventsOf(entries).map(({ id, event }) => {
        const added = Number.parseInt(id, 10);
        return { id, at: added > now ? (timeOfEvent(event) ?? added) : added };
      });
      const old = timed.filter(({ at }) => at < time).map(({ id }) => id);
      if (old.length > 0) await this.#connection.run((client) => client.xdel(this.#key, ...old));
      removed += old.length;
      const last = timed.at(-1);
      if (last === undefined || timed.some(({ at }) => at >= time && at <= now)) return removed;
      start = `(${last.id}`;
    }
  }

  /** @throws StoreUnavailable */
  async usage(): Promise<StreamUsage> {
    const length = await this.#length();
    const bytes = await this.#bytes().catch(() => undefined);
    return bytes === undefined ? { length } : { length, bytes };
  }
}

function textOf(entry: Entry): string {
  if (typeof entry === 'string') return entry;
  return 'head' in entry ? entry.head : entry.start;
}
