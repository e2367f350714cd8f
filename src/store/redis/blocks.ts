import { randomInt } from 'node:crypto';
import type { ResolvedLink } from '../../link/link-store.ts';
import { BlockSet, blockKey, parseBlock } from '../block-set.ts';
import type { Block, EditableBlockList } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';

/** A number, since earlier releases count on from it. */
const MAX_VERSION = 2 ** 47;

/**
 * The block list in Redis: a hash that every process keeps a copy of, and a version that every resolve reads along with
 * the record. Only when the version has changed is the list read again, so that a block counts from the next request
 * on, and costs a stored link no round trip of its own.
 */
export class RedisBlocks implements EditableBlockList {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  #set = new BlockSet([]);
  #version: string | undefined;
  #reading: { readonly version: string; readonly done: Promise<void> } | undefined;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /**
   * While Redis is away, the list as it was last seen still holds; a sealed link, which needs no Redis, goes on with
   * that.
   * @throws StoreUnavailable for a stored link, when the list has changed and cannot be read
   */
  find(token: string, resolved: ResolvedLink): Block | undefined | Promise<Block | undefined> {
    const seen = versionOf(resolved);
    return seen !== undefined && seen === this.#version
      ? this.#set.find(token, resolved)
      : this.#findAnew(token, resolved, seen);
  }

  async #findAnew(
    token: string,
    resolved: ResolvedLink,
    seen: string | undefined,
  ): Promise<Block | undefined> {
    try {
      const version = seen ?? (await this.#readVersion());
      if (version !== this.#version) await this.#refresh(version);
    } catch (error) {
      const known = this.#set.find(token, resolved);
      if (known !== undefined || seen === undefined) return known;
      throw error;
    }
    return this.#set.find(token, resolved);
  }

  async add(block: Block): Promise<boolean> {
    const { blocks } = this.#keys;
    const since = new Date().toISOString();
    const added = await this.#connection.run((c) => c.hset(blocks, blockKey(block), since));
    await this.#changed();
    return added > 0;
  }

  async remove(block: Block): Promise<boolean> {
    const removed = await this.#connection.run((c) => c.hdel(this.#keys.blocks, blockKey(block)));
    await this.#changed();
    return removed > 0;
  }

  async all(): Promise<readonly Block[]> {
    const fields = await this.#connection.run((client) => client.hkeys(this.#keys.blocks));
    return fields.sort().flatMap((field) => parseBlock(field) ?? []);
  }

  /** Requests that come while the list is read wait for that one reading. */
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
    // The version was read before the list, so at worst the list is newer than its number and is read once more.
    this.#version = version;
  }

  async #readVersion(): Promise<string> {
    const version = await this.#connection.run((client) => client.get(this.#keys.blocksVersion));
    return version ?? '';
  }

  async #changed(): Promise<void> {
    // Counting on would begin anew where Redis has lost its data, with numbers that other nodes have seen already.
    const version = randomInt(MAX_VERSION);
    await this.#connection.run((client) => client.set(this.#keys.blocksVersion, version));
  }
}

/** Stored links come with the version, read in their own round trip. */
function versionOf(resolved: ResolvedLink): string | undefined {
  return 'blocksVersion' in resolved ? String(resolved.blocksVersion) : undefined;
}
