import type { EventReader, StoredEvent } from '../link/event-stream.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { eventsOfFirstStream } from './stream-reply.ts';

/** Follows the click stream on a connection of its own, since a blocking read holds up whatever comes after it. */
export class RedisEventReader implements EventReader {
  readonly #connection: RedisConnection;
  readonly #key: string;
  #lastId: string;

  /** @param after events after this id; `0` is from the oldest on, `$` only what comes from now on */
  constructor(connection: RedisConnection, keys: Keys, after: string) {
    this.#connection = connection;
    this.#key = keys.events;
    this.#lastId = after;
  }

  /** @throws StoreUnavailable; the next call goes on where this one began */
  async next(max: number, waitMs: number): Promise<readonly StoredEvent[]> {
    const key = this.#key;
    if (this.#lastId === '$') this.#lastId = await this.#newestId();
    const reply = await this.#connection.run(
      (client) =>
        waitMs > 0
          ? client.xread('COUNT', max, 'BLOCK', Math.ceil(waitMs), 'STREAMS', key, this.#lastId)
          : client.xread('COUNT', max, 'STREAMS', key, this.#lastId),
      undefined,
      waitMs,
    );
    const events = eventsOfFirstStream(reply);
    this.#lastId = events.at(-1)?.id ?? this.#lastId;
    return events.filter(({ event }) => event !== '');
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** `$` said to each XREAD would lose what comes between two of them. */
  async #newestId(): Promise<string> {
    const newest = await this.#connection.run((client) =>
      client.xrevrange(this.#key, '+', '-', 'COUNT', 1),
    );
    return newest[0]?.[0] ?? '0';
  }
}
