import type { EventAppender } from '../link/event-stream.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';

/** The click stream in Redis: one entry a click, with one field `event` that holds the JSON. */
export class RedisEvents implements EventAppender {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #maxLength: number;

  /** @param maxLength entries, roughly; beyond it the oldest go */
  constructor(connection: RedisConnection, keys: Keys, maxLength: number) {
    this.#connection = connection;
    this.#key = keys.events;
    this.#maxLength = maxLength;
  }

  async append(events: readonly string[]): Promise<void> {
    await this.#connection.run<unknown>((client) => {
      const add = (event: string) =>
        client.xadd(this.#key, 'MAXLEN', '~', this.#maxLength, '*', 'event', event);
      // One event is by far the commonest case.
      const [first, ...others] = events;
      return first !== undefined && others.length === 0 ? add(first) : Promise.all(events.map(add));
    });
  }

  /** Entries at present. */
  length(): Promise<number> {
    return this.#connection.run((client) => client.xlen(this.#key));
  }
}
