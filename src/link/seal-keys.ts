import { hash, hkdfSync, randomBytes } from 'node:crypto';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { UnusableFile } from '../lib/files.ts';

/**
 * One line of a key file, `ID DATE SECRET`; empty lines and `#` comments are skipped.
 *
 *     5c 2026-11-23T18:30:00Z lU0pmnUZ3JmqnEmtEkr5bdkqPRYmV2j2cF0n1n3xQ2o
 *
 * ID: a byte in hex, by which tokens name the key. DATE: the key seals from then on, until a later
 * one does, so that every host can have a key before the first link needs it. SECRET: 256 random
 * bits, base64url.
 */
export interface SealKey {
  readonly id: number;
  /** Unix milliseconds. */
  readonly from: number;
  readonly secret: Buffer;
}

const LINE = /^([0-9a-f]{2})\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s+([\w-]{43})$/;
const SECRET_BYTES = 32;
/** There is one subkey per key and day. Bounded, as tokens in requests may name any day. */
const MAX_SUBKEYS = 2_000;

/** The keys of one key file. Immutable, except for a cache. */
export class SealKeys {
  readonly #keys: ReadonlyMap<number, SealKey>;
  readonly #newestFirst: readonly SealKey[];
  readonly #subkeys = new BoundedCache<number, Buffer>(MAX_SUBKEYS);

  /** @param keys at least one, with different ids */
  constructor(keys: readonly SealKey[]) {
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#newestFirst = [...keys].reverse().sort((a, b) => b.from - a.from);
    if (this.#newestFirst.length === 0) throw new RangeError('a key ring needs a key');
  }

  get all(): readonly SealKey[] {
    return this.#newestFirst;
  }

  /** Identifies the keys of a file, and reveals nothing about them. */
  get fingerprint(): string {
    const keys = [...this.#keys.values()].sort((a, b) => a.id - b.id);
    const digests = keys.map(({ id, secret }) =>
      hash('sha256', Buffer.concat([Buffer.of(id), secret])),
    );
    return hash('sha256', `clickmilter sealing keys ${digests.join()}`, 'base64url').slice(0, 22);
  }

  /**
   * The id of the key that seals now: the newest whose date has come, or else the first one to
   * come.
   */
  sealing(now = Date.now()): number {
    const key = this.#newestFirst.find(({ from }) => from <= now) ?? this.#newestFirst.at(-1);
    return (key as SealKey).id;
  }

  /**
   * The subkey of a day: HKDF-SHA256 (RFC 5869) of the key, no salt, info `clickmilter sealed link,
   * day N`, 256 bits. It bounds what one key ever encrypts.
   *
   * @param day days since 1970-01-01 UTC
   * @returns undefined where no key has this id
   */
  subkey(id: number, day: number): Buffer | undefined {
    const key = this.#keys.get(id);
    if (key === undefined) return undefined;
    const info = `clickmilter sealed link, day ${day}`;
    return this.#subkeys.getOrMake(day * 256 + id, () =>
      Buffer.from(hkdfSync('sha256', key.secret, '', info, SECRET_BYTES)),
    );
  }
}

/**
 * Parses the text of a key file.
 * @param file names the place in errors
 * @throws UnusableFile that names file, line and the expected form
 */
export function parseSealKeys(text: string, file: string): SealKeys {
  const keys: SealKey[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/#.*/, '').trim();
    if (content === '') continue;
    const place = `${file}:${index + 1}`;
    // The offending line is not quoted, because it may be a secret.
    const [, id = '', date = '', secret = ''] = LINE.exec(content) ?? [];
    const from = Date.parse(date);
    if (Number.isNaN(from)) {
      throw new UnusableFile(
        `${place}: not a sealing key; a line is ID DATE SECRET, as keygen writes it`,
      );
    }
    const key = { id: Number.parseInt(id, 16), from, secret: Buffer.from(secret, 'base64url') };
    if (keys.some((other) => other.id === key.id)) {
      throw new UnusableFile(`${place}: a second key ${id}; every key needs an id of its own`);
    }
    keys.push(key);
  }
  if (keys.length === 0) throw new UnusableFile(`${file}: no sealing key in it; keygen adds one`);
  return new SealKeys(keys);
}

export function formatSealKey(key: SealKey): string {
  const date = new Date(key.from).toISOString().replace(/\.\d+Z$/, 'Z');
  return `${formatKeyId(key.id)} ${date} ${key.secret.toString('base64url')}\n`;
}

export function formatKeyId(id: number): string {
  return id.toString(16).padStart(2, '0');
}

/**
 * Creates a random key whose id none of the others has. Ids are random, so that two hosts which
 * each created a key by mistake seldom chose the same id.
 *
 * @param from Unix milliseconds
 * @throws UnusableFile when all 256 ids are taken
 */
export function newSealKey(others: readonly SealKey[], from: number): SealKey {
  const taken = new Set(others.map(({ id }) => id));
  const free = Array.from({ length: 256 }, (_, id) => id).filter((id) => !taken.has(id));
  if (free.length === 0) {
    throw new UnusableFile(
      'the key file holds 256 keys, the most there can be; delete the oldest lines whose links have expired',
    );
  }
  const [pick = 0, ...secret] = randomBytes(1 + SECRET_BYTES);
  return { id: free[pick % free.length] as number, from, secret: Buffer.from(secret) };
}
