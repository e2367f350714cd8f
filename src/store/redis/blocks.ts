import { randomInt } from 'node:crypto';
import type { ResolvedLink } from '../../link/link-store.ts';
import { isStoredToken } from '../../link/stored-token.ts';
import { BlockSet, parseRuling, retargetDetails, rulingKey } from '../block-set.ts';
import type { EditableBlockList, Ruling } from '../store.ts';
import type { RedisConnection } from './connection.ts';

/** A number, because earlier releases count up from it. */
const MAX_VERSION = 2 ** 47;

/**
 * The block list in Redis: a hash of which every process keeps a copy, and a version that is read
 * along with each record. The list is read again only when its version has changed. So a block
 * holds from the next request on, and costs a stored link no round trip.
 */
export class RedisBlocks implements EditableBlockList {
  readonly #connection: RedisConnection;
  #set = new BlockSet([]);
  /** The version of that copy. */
  #version: string | undefined;
  /** The version that was read last, along with a record. */
  #latest: string | undefined;
  #reading: { readonly version: string; readonly done: Promise<void> } | undefined;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  readonly versionRead = (version: string): void => {
    this.#latest = version;
  };

  /**
   * While Redis is away, the last known list holds for sealed links, which need no Redis.
   * @throws StoreUnavailable for a stored link when the list has changed and cannot be read
   */
  find(token: string, resolved: ResolvedLink): Ruling | undefined | Promise<Ruling | undefined> {
    // The record of a stored link was read a moment ago, a sealed link came without a round trip.
    const latest = isStoredToken(token) ? this.#latest : undefined;
    return latest !== undefined && latest === this.#version
      ? this.#set.find(token, resolved)
      : this.#findAfterReading(token, resolved, latest);
  }

  async #findAfterReading(
    token: string,
    resolved: ResolvedLink,
    latest: string | undefined,
  ): Promise<Ruling | undefined> {
    try {
      const version = latest ?? (await this.#readVersion());
      if (version !== this.#version) await this.#refresh(version);
    } catch (error) {
      const known = this.#set.find(token, resolved);
      if (known !== undefined || latest === undefined) return known;
      throw error;
    }
    return this.#set.find(token, resolved);
  }

  async add(ruling: Ruling): Promise<boolean> {
    const { blocks } = this.#connection.keys;
    const details = ruling.to === undefined ? new Date().toISOString() : retargetDetails(ruling);
    const added = await this.#connection.run((c) => c.hset(blocks, rulingKey(ruling), details));
    await this.#changed();
    return added > 0;
  }

  async remove(ruling: Ruling): Promise<boolean> {
    const removed = await this.#connection.run((c) =>
      c.hdel(this.#connection.keys.blocks, rulingKey(ruling)),
    );
    await this.#changed();
    return removed > 0;
  }

  async all(): Promise<readonly Ruling[]> {
    const fields = await this.#connection.run((client) =>
      client.hgetall(this.#connection.keys.blocks),
    );
    return Object.keys(fields)
      .sort()
      .flatMap((key) => parseRuling(key, fields[key] ?? '') ?? []);
  }

  /** Requests that come while the list is read share that read. */
  async #refresh(version: string): Promise<void> {
    if (this.#reading?.version !== version) {
      this.#reading = { version, done: this.#read(version) };
    }
    const { done } = this.#reading;
    await done.finally(() => {
      if (this.#reading?.done === done) this.#reading = undefined;
    });
  }

  async #read(version: string): Promise<void> {
    this.#set = new BlockSet(await this.all());
    // The version was read before the list: at worst the list is newer, and is read once more.
    this.#version = version;
  }

  async #readVersion(): Promise<string> {
    const version = await this.#connection.run((client) =>
      client.get(this.#connection.keys.blocksVersion),
    );
    return version ?? '';
  }

  async #changed(): Promise<void> {
    // A counter would start again where Redis has lost its data, with numbers that other hosts have
    // seen already.
    const version = randomInt(MAX_VERSION);
    await this.#connection.run((client) =>
      client.set(this.#connection.keys.blocksVersion, version),
    );
  }
}
