import { fieldsOfEvent } from '../event-line.ts';
import type { StoredEvent, StreamReader } from '../events.ts';
import { LONGEST_BLOCK_MS, SHORTEST_BLOCK_MS } from './client.ts';
import type { RedisConnection } from './connection.ts';

/**
 * Entries read in one command. Redis knows no limit in bytes, so this number bounds the size of an
 * answer: events are bounded, although those of other programs and earlier releases may be larger.
 */
export const ENTRIES_AT_ONCE = 32;

/**
 * An entry as RESP2 returns it: its id, and its fields in pairs; null where the entry was trimmed
 * meanwhile.
 */
type Entry = readonly [id: string, fields: readonly string[] | null];

/**
 * Reads the entries of an answer of XREAD or XREADGROUP about one stream. The event of an entry
 * that is gone, or that is not an event, is empty.
 */
export function eventsOfFirstStream(reply: unknown): StoredEvent[] {
  const [stream] = (reply ?? []) as readonly (readonly [string, readonly Entry[]])[];
  return eventsOf(stream?.[1] ?? []).map(withFields);
}

/** Parses an event. One that is gone, or is not an event, is empty. */
export function withFields({ id, event }: StoredEvent): StoredEvent {
  const fields = fieldsOfEvent(event);
  return fields === undefined ? { id, event: '' } : { id, event, fields };
}

/** Reads the entries of an answer of XRANGE or XCLAIM. */
export function eventsOf(entries: unknown): StoredEvent[] {
  return (entries as readonly Entry[]).map(([id, fields]) => {
    const name = fields?.findIndex((text, i) => i % 2 === 0 && text === 'event') ?? -1;
    return { id, event: (name >= 0 && fields?.[name + 1]) || '' };
  });
}

/** The least number of events whose ids are remembered. */
const REMEMBERED = 10_000;

/**
 * Follows the click stream on a connection of its own, because a blocking read delays the commands
 * after it.
 *
 * After a failover the new server may lack the last events of the old one, and have others that are
 * older than those. So the place in the stream is the newest event that was read and that the
 * server has as well.
 */
export class RedisEventReader implements StreamReader {
  skipped = 0;
  readonly #connection: RedisConnection;
  readonly #key: string;
  #lastId = '0';
  /** The ids of all entries from the first one in here up to #lastId. */
  #read: Set<string> = new Set();

  /**
   * @param after the id after which events are read; `0`: from the oldest on, `$`: only events from
   * now on
   */
  constructor(connection: RedisConnection, after: string) {
    this.#connection = connection;
    this.#key = connection.keys.events;
    this.#beginAt(after);
  }

  /** @throws StoreUnavailable; the next call begins where this one did */
  async next(max: number, waitMs: number): Promise<readonly StoredEvent[]> {
    const most = Math.min(max, ENTRIES_AT_ONCE);
    if (this.#lastId === '$') this.#beginAt(await this.#newestId());
    const end = performance.now() + waitMs;
    for (;;) {
      const left = Math.max(0, Math.ceil(end - performance.now()));
      const entries = await this.#entries(most, Math.min(left, LONGEST_BLOCK_MS));
      const common = await this.#newestInCommon();
      if (common !== this.#lastId) {
        this.#goBackTo(common);
      } else if (entries.length > 0 || left <= LONGEST_BLOCK_MS) {
        this.#goOnBehind(entries);
        const events = entries.filter(({ event }) => event !== '');
        this.skipped += entries.length - events.length;
        // An empty answer is the end for a caller that does not wait.
        if (events.length > 0 || entries.length === 0) return events;
      }
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** XREAD with `$` each time would lose the events that come between two calls. */
  async #newestId(): Promise<string> {
    const [newest] = await this.#idsDownFrom('+', 1);
    return newest ?? '0';
  }

  async #entries(max: number, blockMs: number): Promise<readonly StoredEvent[]> {
    const [key, lastId] = [this.#key, this.#lastId];
    const block = Math.max(SHORTEST_BLOCK_MS, blockMs);
    const reply = await this.#connection.run(
      (client) => client.xread('COUNT', max, 'BLOCK', block, 'STREAMS', key, lastId),
      undefined,
      blockMs,
    );
    return eventsOfFirstStream(reply);
  }

  /**
   * The newest entry that was read and that the server has; where it has none of them, all its
   * entries are new.
   */
  async #newestInCommon(): Promise<string> {
    const [oldest = this.#lastId] = this.#read;
    let from = this.#lastId;
    // Mostly the first one is it.
    for (let count = 1; ; count = ENTRIES_AT_ONCE) {
      const ids = await this.#idsDownFrom(from, count, oldest);
      const common = ids.find((id) => this.#read.has(id));
      if (common !== undefined || ids.length < count) return common ?? oldest;
      from = `(${ids.at(-1)}`;
    }
  }

  async #idsDownFrom(from: string, count: number, to = '-'): Promise<readonly string[]> {
    const entries = await this.#connection.run((client) =>
      client.xrevrange(this.#key, from, to, 'COUNT', count),
    );
    return entries.map(([id]) => id);
  }

  #beginAt(id: string): void {
    this.#read = new Set([id]);
    this.#lastId = id;
  }

  #goBackTo(id: string): void {
    const read = [...this.#read];
    this.#read = new Set(read.slice(0, read.indexOf(id) + 1));
    this.#lastId = id;
  }

  #goOnBehind(entries: readonly StoredEvent[]): void {
    for (const { id } of entries) this.#read.add(id);
    if (this.#read.size > 2 * REMEMBERED) {
      this.#read = new Set([...this.#read].slice(-REMEMBERED));
    }
    this.#lastId = entries.at(-1)?.id ?? this.#lastId;
  }
}
