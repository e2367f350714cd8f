import { type EventAppender, firstWithin } from '../events.ts';
import type { RedisClient } from './client.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { areScriptsRefused } from './refused-scripts.ts';
import { sendNow } from './send-now.ts';
import { type StreamLimits, StreamTrimmer, streamBytes } from './stream-trimmer.ts';

/** Events, and bytes of them, in one command. */
const CHUNK = 100;
const CHUNK_BYTES = 1024 * 1024;
/** KEYS: the stream; ARGV: the most entries it may have, then the events. */
const APPEND = `
for i = 2, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[i])
end`;

/**
 * The click stream in Redis: one entry a click, with one field `event` that holds the JSON. Events that come at the same
 * time go out in one command: under load, commands are what an event costs most.
 */
export class RedisEvents implements EventAppender {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #maxLength: number;
  readonly #trimmer: StreamTrimmer;
  #gathered: string[] = [];
  #appended: Promise<void> | undefined;

  constructor(connection: RedisConnection, keys: Keys, limits: StreamLimits) {
    this.#connection = connection;
    this.#key = keys.events;
    this.#maxLength = limits.streamMaxLength;
    this.#trimmer = new StreamTrimmer(connection, keys.events, limits);
  }

  append(events: readonly string[]): Promise<void> {
    for (const event of events) this.#gathered.push(event);
    // When all that can go on by now has done so.
    this.#appended ??= new Promise((resolve, reject) => {
      process.nextTick(() => {
        this.#appendGathered().then(resolve, reject);
        sendNow(this.#connection);
      });
    });
    return this.#appended;
  }

  async #appendGathered(): Promise<void> {
    const events = this.#gathered;
    this.#gathered = [];
    this.#appended = undefined;
    for (let start = 0; start < events.length; ) {
      const chunk = firstWithin(events.slice(start, start + CHUNK), itself, CHUNK, CHUNK_BYTES);
      start += chunk.length;
      await this.#send(chunk);
      this.#trimmer.appended(chunk.reduce((sum, event) => sum + event.length, 0));
    }
  }

  #send(events: readonly string[]): Promise<unknown> {
    return this.#connection.run((client) =>
      events.length === 1
        ? this.#addEach(client, events)
        : client.eval(APPEND, 1, this.#key, this.#maxLength, ...events).catch((error: unknown) => {
            if (!areScriptsRefused(error)) throw error;
            return this.#addEach(client, events);
          }),
    );
  }

  /** Takes twice our time for many; no right to run scripts is a reason for that, not to lose clicks. */
  #addEach(client: RedisClient, events: readonly string[]): Promise<unknown> {
    return Promise.all(
      events.map((event) =>
        client.xadd(this.#key, 'MAXLEN', '~', this.#maxLength, '*', 'event', event),
      ),
    );
  }

  /** Entries and bytes at present; the latter only where Redis says so. */
  async usage(): Promise<{ readonly length: number; readonly bytes?: number }> {
    const length = await this.#connection.run((client) => client.xlen(this.#key));
    const bytes = await streamBytes(this.#connection, this.#key).catch(() => undefined);
    return bytes === undefined ? { length } : { length, bytes };
  }
}

function itself(event: string): string {
  return event;
}
