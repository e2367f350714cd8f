import { randomUUID } from 'node:crypto';
import { LEASE_MS, type Lease } from '../events.ts';
import type { RedisConnection } from './connection.ts';

/**
 * Takes a lease that nobody else has. A value of another type, or one that does not end in time, is
 * not a lease: it would keep everyone out for good.
 * KEYS: the lease. ARGV: the holder, the milliseconds to hold it. Returns 1 where it is held.
 */
const HOLD = `
local holder, left = redis.pcall('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
local isLease = type(holder) == 'string' and left >= 0 and left <= tonumber(ARGV[2])
if isLease and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** A lease in Redis: a key that expires, with the name of its holder. */
export class RedisLease implements Lease {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #holder = randomUUID();

  constructor(connection: RedisConnection, name: string) {
    this.#connection = connection;
    this.#key = connection.keys.lease(name);
  }

  async hold(): Promise<boolean> {
    const held = await this.#connection.run((client) =>
      client.eval(HOLD, 1, this.#key, this.#holder, LEASE_MS),
    );
    return held === 1;
  }

  async release(): Promise<void> {
    await this.#connection.run((client) => client.eval(RELEASE, 1, this.#key, this.#holder));
  }

  async isHeld(): Promise<boolean> {
    return (await this.#connection.run((client) => client.get(this.#key))) === this.#holder;
  }
}
