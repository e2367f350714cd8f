import { OPT_OUT_DIGEST, optOutDigest } from '../opt-outs.ts';
import type { EditableOptOuts } from '../store.ts';
import type { RedisConnection } from './connection.ts';

/**
 * A field that says that there is a list, so that one command tells that and more. No digest is so
 * short.
 */
const MARKER = '-';
/** Digests in one command: Redis does nothing else meanwhile. */
const CHUNK = 1000;
/** How long nobody is looked up after the list was found to be empty. */
const EMPTY_MS = 1000;

/**
 * The opt-outs in Redis: a hash of digests, each with its time. It is asked once for each message,
 * however long the list is; where nobody has opted out, once per second.
 */
export class RedisOptOuts implements EditableOptOuts {
  readonly #connection: RedisConnection;
  readonly #earlier: EditableOptOuts;
  /** Whether the list was empty when it was last read. */
  #wasEmpty = false;
  /** By performance.now: the wall clock may jump. */
  #emptyUntil = 0;

  /** @param earlier opt-outs of the time before Redis, which hold too */
  constructor(connection: RedisConnection, earlier: EditableOptOuts) {
    this.#connection = connection;
    this.#earlier = earlier;
  }

  /**
   * While Redis is away, a list that was empty stays so. Another one cannot be known.
   */
  async hasAny(addresses: readonly string[]): Promise<boolean> {
    if (await this.#earlier.hasAny(addresses)) return true;
    if (performance.now() < this.#emptyUntil) return false;
    for (let start = 0; start === 0 || start < addresses.length; start += CHUNK) {
      const digests = addresses.slice(start, start + CHUNK).map(optOutDigest);
      const [marker, ...found] = await this.#lookUp(digests);
      this.#wasEmpty = marker === null;
      if (this.#wasEmpty) {
        this.#emptyUntil = performance.now() + EMPTY_MS;
        return false;
      }
      if (found.some((since) => since !== null)) return true;
    }
    return false;
  }

  async #lookUp(digests: readonly string[]): Promise<readonly (string | null)[]> {
    const { optOuts } = this.#connection.keys;
    try {
      return await this.#connection.run((client) => client.hmget(optOuts, MARKER, ...digests));
    } catch (error) {
      if (this.#wasEmpty) return [null];
      throw error;
    }
  }

  async add(digests: readonly string[]): Promise<number> {
    const { optOuts } = this.#connection.keys;
    const since = new Date().toISOString();
    await this.#connection.run((client) => client.hset(optOuts, MARKER, ''));
    return this.#each(digests, (client, digest) => client.hsetnx(optOuts, digest, since));
  }

  async remove(digests: readonly string[]): Promise<number> {
    const { optOuts } = this.#connection.keys;
    const removed = await this.#each(digests, (client, digest) => client.hdel(optOuts, digest));
    return Math.max(removed, await this.#earlier.remove(digests));
  }

  async #each(
    digests: readonly string[],
    command: (client: RedisConnection['client'], digest: string) => Promise<number>,
  ): Promise<number> {
    let changed = 0;
    for (let start = 0; start < digests.length; start += CHUNK) {
      const some = digests.slice(start, start + CHUNK);
      const replies = await this.#connection.run((client) =>
        Promise.all(some.map((digest) => command(client, digest))),
      );
      changed += replies.reduce((sum, reply) => sum + reply, 0);
    }
    return changed;
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const { optOuts } = this.#connection.keys;
    const all = new Map(await this.#earlier.all());
    let cursor = '0';
    do {
      const [next, fields] = await this.#connection.run((client) =>
        client.hscan(optOuts, cursor, 'COUNT', CHUNK),
      );
      for (let at = 0; at + 1 < fields.length; at += 2) {
        const digest = fields[at] ?? '';
        if (OPT_OUT_DIGEST.test(digest)) all.set(digest, fields[at + 1] ?? '');
      }
      cursor = next;
    } while (cursor !== '0');
    return all;
  }
}
