import type { StoredEvent, StreamReader } from '../events.ts';
import { LONGEST_BLOCK_MS } from './client.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { ENTRIES_AT_ONCE, eventsOfFirstStream } from './stream-reply.ts';

/** Events whose ids are remembered, at least. */
const REMEMBERED = 10_000;

/**
 * Follows the click stream on a connection of its own, since a blocking read holds up whatever comes after it.
 *
 * A server that took the place of another may lack the last events of that one, and have others that are older than
 * those. So the place in the stream is the newest event that was read and that the server has as well.
 */
export class RedisEventReader implements StreamReader {
  readonly #connection: RedisConnection;
  readonly #key: string;
  #lastId = '0';
  #skipped = 0;
  /** All entries from some place on, which is the first, up to #lastId. */
  #read: Set<string> = new Set();

  /** @param after events after this id; `0` is from the oldest on, `$` only what comes from now on */
  constructor(connection: RedisConnection, keys: Keys, after: string) {
    this.#connection = connection;
    this.#key = keys.events;
    this.#beginAt(after);
  }

  /** @throws StoreUnavailable; the next call goes on where this one began */
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
        this.#skipped += entries.length - events.length;
        // Nothing at all is the end for a caller that does not wait.
        if (events.length > 0 || entries.length === 0) return events;
      }
    }
  }

  get skipped(): number {
    return this.#skipped;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** `$` said to each XREAD would lose what comes between two of them. */
  async #newestId(): Promise<string> {
    const [newest] = await this.#idsDownFrom('+', 1);
    return newest ?? '0';
  }

  async #entries(max: number, blockMs: number): Promise<readonly StoredEvent[]> {
    const [key, lastId] = [this.#key, this.#lastId];
    const reply = await this.#connection.run(
      (client) =>
        blockMs > 0
          ? client.xread('COUNT', max, 'BLOCK', blockMs, 'STREAMS', key, lastId)
          : client.xread('COUNT', max, 'STREAMS', key, lastId),
      undefined,
      blockMs,
    );
    return eventsOfFirstStream(reply);
  }

  /** The place in what the server has; where it has nothing that was read, all it has is new from there on. */
  async #newestInCommon(): Promise<string> {
    const [oldest = this.#lastId] = this.#read;
    let from = this.#lastId;
    // Mostly the first one is the one.
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
