import { randomInt } from 'node:crypto';
import type { ResolvedLink } from '../../link/link-store.ts';
import { isStoredToken } from '../../link/stored-token.ts';
import { BlockSet, parseRuling, retargetDetails, rulingKey } from '../block-set.ts';
import type { EditableBlockList, Ruling } from '../store.ts';
import type { RedisConnection } from './connection.ts';

/** A number, because earlier releases count up from it. */
const MAX_VERSION = 2 ** 47;
/** The field of the list that holds its version in a cluster. No ruling has this name. */
const VERSION_FIELD = 'version';

/**
 * Changes the list and its version in one step: between two, a command that is killed would leave
 * the other hosts blind.
 * KEYS: the list, and outside a cluster the version. ARGV: the version, the ruling, and its details
 * unless it is removed. Returns the number of rulings that are new, or were there.
 */
const CHANGE = `
local changed
if ARGV[3] then changed = redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
else changed = redis.call('HDEL', KEYS[1], ARGV[2]) end
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[1])
else redis.call('HSET', KEYS[1], '${VERSION_FIELD}', ARGV[1]) end
return changed`;

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
      const version = latest ?? (await readBlocksVersion(this.#connection));
      if (version !== this.#version) await this.#refresh(version);
    } catch (error) {
      const known = this.#set.find(token, resolved);
      if (known !== undefined || latest === undefined) return known;
      throw error;
    }
    return this.#set.find(token, resolved);
  }

  async add(ruling: Ruling): Promise<boolean> {
    const details = ruling.to === undefined ? new Date().toISOString() : retargetDetails(ruling);
    return this.#change(rulingKey(ruling), details);
  }

  remove(ruling: Ruling): Promise<boolean> {
    return this.#change(rulingKey(ruling));
  }

  async #change(...args: readonly string[]): Promise<boolean> {
    const { isCluster, keys } = this.#connection;
    // A counter would start again where Redis has lost its data, with numbers that other hosts have
    // seen already.
    const version = randomInt(MAX_VERSION);
    // In a cluster, the two keys lie on two nodes.
    const changing = isCluster ? [keys.blocks] : [keys.blocks, keys.blocksVersion];
    const changed = await this.#connection.run((client) =>
      client.eval(CHANGE, changing.length, ...changing, version, ...args),
    );
    // Hosts of an earlier release know this key only.
    if (isCluster) await this.#connection.run((c) => c.set(keys.blocksVersion, version));
    return Number(changed) > 0;
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
}

/**
 * Reads the version of the block list. In a cluster it has two parts: that of its list, and the one
 * that hosts of an earlier release change.
 */
export async function readBlocksVersion(connection: RedisConnection): Promise<string> {
  const { blocks, blocksVersion } = connection.keys;
  const parts = await connection.run((client) =>
    Promise.all([
      client.get(blocksVersion),
      ...(connection.isCluster ? [client.hget(blocks, VERSION_FIELD)] : []),
    ]),
  );
  return parts.map((part) => part ?? '').join(' ');
}
