import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';

/** A host that has not been heard of for so long is gone. */
const GONE_SECONDS = 30 * 86_400;
const ENTRY = /^([\w-]{1,100}) (\d{1,12})$/;

/**
 * Which sealing keys each host has, as fingerprints: a hash of `FINGERPRINT UNIX-SECONDS` by host. Hosts that share this
 * store answer for each other's links, which they can only with the same keys.
 */
export class RedisSealKeys {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** @throws StoreUnavailable */
  async announce(host: string, fingerprint: string, now = Date.now()): Promise<void> {
    const entry = `${fingerprint} ${Math.floor(now / 1000)}`;
    await this.#connection.run((client) => client.hset(this.#keys.sealKeys, host, entry));
  }

  /**
   * Hosts with other keys than these. Forgets hosts that are gone.
   * @throws StoreUnavailable
   */
  async hostsWithOthers(fingerprint: string, now = Date.now()): Promise<readonly string[]> {
    const entries = await this.#connection.run((client) => client.hgetall(this.#keys.sealKeys));
    const others: string[] = [];
    const gone: string[] = [];
    for (const [host, entry] of Object.entries(entries)) {
      const [, theirs, seconds] = ENTRY.exec(entry) ?? [];
      if (now / 1000 - Number(seconds ?? 0) > GONE_SECONDS) gone.push(host);
      else if (theirs !== fingerprint) others.push(host);
    }
    if (gone.length > 0) {
      await this.#connection.run((client) => client.hdel(this.#keys.sealKeys, ...gone));
    }
    return others;
  }
}

/** What an operator should know where hosts have other keys. */
export function otherKeysWarning(hosts: readonly string[]): string {
  return (
    `other sealing keys on ${hosts.slice(0, 10).join(', ')}: sealed links made here are 404 there, and theirs are 404 ` +
    'here; give all hosts the same key file'
  );
}
