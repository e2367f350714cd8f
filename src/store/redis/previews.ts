import { hash } from 'node:crypto';
import {
  addToValue,
  decodeVersions,
  MAX_BYTES,
  MAX_CAMPAIGNS,
  type PreviewVersion,
} from '../../preview/versions.ts';
import { countedText } from '../counting.ts';
import type { Previews } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { isOfOtherType } from './count-fields.ts';
import { shortDigest } from './keys.ts';

/** Replaces a value that has not changed since it was read: ARGV are its SHA-1, the new one, its end. */
const REPLACE = `
local known = redis.call('GET', KEYS[1])
if (known and redis.sha1hex(known) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('EXPIREAT', KEYS[1], ARGV[3])
return 1`;

const ATTEMPTS = 5;
/** A value of another type, or longer than any preview. */
const FOREIGN = Symbol('foreign');

/** The previews in Redis: a value for each campaign, and a sorted set of the campaigns. */
export class RedisPreviews implements Previews {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async add(campaign: string, skeleton: string, days: number): Promise<void> {
    const { keys } = this.#connection;
    const name = shortDigest(countedText(campaign));
    const key = keys.preview(name);
    for (let attempt = 0; ; attempt++) {
      const read = await this.#read(key);
      if (read === FOREIGN) await this.#connection.run((client) => client.del(key));
      const known = read === FOREIGN || read.length === 0 ? undefined : read;
      const { value, until } = addToValue(known, skeleton, days);
      const before = known === undefined ? '' : hash('sha1', known);
      const isReplaced = await this.#connection.run((client) =>
        client.eval(REPLACE, 1, key, before, value, until),
      );
      if (isReplaced === 1) {
        await this.#keepFew(name, until);
        return;
      }
      if (attempt === ATTEMPTS) throw new Error(`${key}: others change it all the time`);
    }
  }

  /** Removes the previews that expire first where there are too many: senders name campaigns. */
  async #keepFew(name: string, until: number): Promise<void> {
    const { keys } = this.#connection;
    const excess = await this.#connection.run(async (client) => {
      await client.zadd(keys.previews, until, name);
      await client.zremrangebyscore(keys.previews, '-inf', Date.now() / 1000);
      const count = await client.zcard(keys.previews);
      return count > MAX_CAMPAIGNS ? client.zpopmin(keys.previews, count - MAX_CAMPAIGNS) : [];
    });
    for (let at = 0; at < excess.length; at += 2) {
      const key = keys.preview(excess[at] ?? '');
      await this.#connection.run((client) => client.del(key));
    }
  }

  async of(campaign: string): Promise<readonly PreviewVersion[]> {
    const key = this.#connection.keys.preview(shortDigest(countedText(campaign)));
    const value = await this.#read(key);
    if (value === FOREIGN) throw new Error(`${key}: expected a preview`);
    return value.length === 0 ? [] : decodeVersions(value);
  }

  /** Redis removes them: each key expires. */
  async removeExpired(): Promise<void> {}

  /** @returns an empty value where there is none */
  async #read(key: string): Promise<Buffer | typeof FOREIGN> {
    const value = await this.#connection.run((client) =>
      client.getrangeBuffer(key, 0, MAX_BYTES).catch((error: unknown) => {
        if (!isOfOtherType(error)) throw error;
      }),
    );
    return value === undefined || value.length > MAX_BYTES ? FOREIGN : value;
  }
}
