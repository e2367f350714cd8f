import { randomUUID } from 'node:crypto';
import { LEASE_MS, type Lease } from '../events.ts';
import type { RedisConnection } from './connection.ts';

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
    const [key, holder] = [this.#key, this.#holder];
    const taken = await this.#connection.run((c) => c.set(key, holder, 'PX', LEASE_MS, 'NX'));
    if (taken !== null) return true;
    if (!(await this.#isOurs())) return false;
    await this.#connection.run((client) => client.pexpire(key, LEASE_MS));
    return true;
  }

  async release(): Promise<void> {
    if (await this.#isOurs()) await this.#connection.run((client) => client.del(this.#key));
  }

  async #isOurs(): Promise<boolean> {
    return (await this.#connection.run((client) => client.get(this.#key))) === this.#holder;
  }
}
