import { Cluster, Command } from 'ioredis';
import { inBackground } from '../../lib/background.ts';
import type { GivenUp } from '../../link/link-store.ts';
import type { RedisClient } from './client.ts';
import type { RedisConnection } from './connection.ts';

/** A value for a key, the seconds to keep it, and the promise of its caller. */
interface Write {
  readonly key: string;
  readonly value: Buffer;
  readonly lifetime: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Writes that count only when replicas have them. WAIT delays the commands after it on its
 * connection, which therefore nothing else should use. Writes that come meanwhile share the next
 * WAIT, so that no write waits for more than two.
 */
export class ReplicatedWrites {
  readonly #connection: RedisConnection;
  readonly #replicas: number;
  readonly #waitMs: number;
  /** By server, while one of its WAITs is under way. */
  readonly #gathered = new Map<string, Write[]>();

  /** @param waitMs the time that the replicas have */
  constructor(connection: RedisConnection, replicas: number, waitMs: number) {
    this.#connection = connection;
    this.#replicas = replicas;
    this.#waitMs = waitMs;
  }

  /** @throws StoreUnavailable */
  set(key: string, value: Buffer, lifetime: number, givenUp: GivenUp | undefined): Promise<void> {
    return this.#connection.run(
      async (client) => {
        // A cluster tells which server has which key with its first answer.
        if (client instanceof Cluster && client.slots.length === 0) await client.ping();
        return new Promise((resolve, reject) => {
          this.#gather(client, { key, value, lifetime, resolve, reject });
        });
      },
      givenUp,
      this.#waitMs,
    );
  }

  #gather(client: RedisClient, write: Write): void {
    const server = serverOf(client, write.key);
    const gathered = this.#gathered.get(server);
    if (gathered !== undefined) {
      gathered.push(write);
    } else {
      inBackground('write to Redis and its replicas', () => this.#sendAll(client, server, [write]));
    }
  }

  async #sendAll(client: RedisClient, server: string, first: readonly Write[]): Promise<void> {
    for (let writes = first; writes.length > 0; writes = this.#gathered.get(server) ?? []) {
      this.#gathered.set(server, []);
      await this.#send(client, writes);
    }
    this.#gathered.delete(server);
  }

  async #send(client: RedisClient, writes: readonly Write[]): Promise<void> {
    // WAIT counts the writes of its own connection.
    const pipeline = client.pipeline();
    for (const { key, value, lifetime } of writes) pipeline.set(key, value, 'EX', lifetime);
    pipeline.call('WAIT', this.#replicas, this.#waitMs);
    try {
      const replies = (await pipeline.exec()) ?? [];
      // ioredis follows a slot that has moved for single commands only.
      const hasMoved = replies.some(([error]) => error?.message.startsWith('MOVED'));
      if (hasMoved && client instanceof Cluster) client.refreshSlotsCache();
      const [refused, reached] = replies[writes.length] ?? [];
      const problem = refused ?? this.#tooFew(Number(reached ?? 0));
      for (const [i, { resolve, reject }] of writes.entries()) {
        const error = replies[i]?.[0] ?? problem;
        if (error) reject(error);
        else resolve();
      }
    } catch (error) {
      for (const { reject } of writes) reject(error);
    }
  }

  #tooFew(reached: number): Error | undefined {
    if (reached >= this.#replicas) return undefined;
    return new Error(
      `record on ${reached} replicas after ${this.#waitMs} ms, ${this.#replicas} are asked for`,
    );
  }
}

/** Keys with the same result are on the same server. */
function serverOf(client: RedisClient, key: string): string {
  if (!(client instanceof Cluster)) return '';
  return client.slots[new Command('get', [key]).getSlot()]?.join(' ') ?? '';
}
