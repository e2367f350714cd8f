import { inBackground } from '../../lib/background.ts';
import { mastersOf } from './client.ts';
import type { RedisConnection } from './connection.ts';

/** How much the click stream may hold, roughly; beyond it the oldest entries go. */
export interface StreamLimits {
  readonly streamMaxLength: number;
  /** Bytes; never more than a quarter of Redis' maxmemory, which links need more urgently. */
  readonly streamMaxSize: number;
}

/** The stream is measured after this share of its limit has been appended: it takes Redis 13 ms per GiB. */
const SHARE_BETWEEN_LOOKS = 1 / 64;
/** What a full stream is trimmed to, so that it is not full again at once. */
const SHARE_TO_KEEP = 15 / 16;
const SHARE_OF_MAXMEMORY = 1 / 4;
/** Each round drops twice as many entries as the one before: the oldest may be the smallest. */
const MAX_ROUNDS = 12;

/** Keeps a stream below a size in bytes: Redis itself bounds streams only by their entries. */
export class StreamTrimmer {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #maxBytes: number;
  /** Bytes appended since the last look; at first nobody knows what there is. */
  #appended = Number.POSITIVE_INFINITY;
  #looking = false;

  constructor(connection: RedisConnection, key: string, { streamMaxSize }: StreamLimits) {
    this.#connection = connection;
    this.#key = key;
    this.#maxBytes = streamMaxSize;
  }

  /** To be called after bytes were appended; does its work in the background. */
  appended(bytes: number): void {
    this.#appended += bytes;
    if (this.#looking || this.#appended < this.#maxBytes * SHARE_BETWEEN_LOOKS) return;
    this.#appended = 0;
    this.#looking = true;
    inBackground('trim the click stream', () =>
      this.#trim().finally(() => {
        this.#looking = false;
      }),
    );
  }

  async #trim(): Promise<void> {
    const limit = await this.#limit();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // In this order: where another process trims in between, this one then keeps too much, and looks again.
      const length = await this.#connection.run((client) => client.xlen(this.#key));
      const bytes = await streamBytes(this.#connection, this.#key);
      if (bytes <= limit) return;
      const excess = 1 - (limit * SHARE_TO_KEEP) / bytes;
      const keep = Math.floor(length * (1 - Math.min(excess * 2 ** round, Math.max(excess, 0.5))));
      await this.#connection.run((client) => client.xtrim(this.#key, 'MAXLEN', keep));
    }
  }

  async #limit(): Promise<number> {
    const info = await this.#connection
      .run((client) => Promise.all(mastersOf(client).map((server) => server.info('memory'))))
      .catch(() => []);
    const memories = info.flatMap((text) => Number(/^maxmemory:(\d+)/m.exec(text)?.[1] ?? 0) || []);
    return Math.min(this.#maxBytes, ...memories.map((memory) => memory * SHARE_OF_MAXMEMORY));
  }
}

/** What a stream takes of Redis' memory. */
export async function streamBytes(connection: RedisConnection, key: string): Promise<number> {
  const bytes = await connection.run((client) => client.call('MEMORY', 'USAGE', key, 'SAMPLES', 0));
  return Number(bytes ?? 0);
}
