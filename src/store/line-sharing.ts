import { StoreUnavailable } from '../link/link-store.ts';
import {
  decodeSharedLines,
  encodeSharedLines,
  MAX_SHARED_BYTES,
  type SharedLines,
  sharedLines,
} from '../link/shared-lines.ts';
import { CommonLines } from './common-lines.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';

/** Fewer lines, or shorter ones, are not worth a key of their own. */
const MIN_LINES = 6;
const MIN_LENGTH = 400;
/**
 * Messages with just these lines before they are kept: a newsletter's have thousands, a receipt's do not come twice.
 */
const MESSAGES = 4;
/** Between two newly found sets of lines, so that mail which only looks alike does not fill Redis with them. */
const PAUSE_MS = 5_000;
/** How long lines are relied on without a look at whether they are still there. */
const CHECK_MS = 1_000;
/** Shared lines outlive the message for which they are kept, so that those of the next weeks can use them as well. */
const SLACK_SECONDS = 40 * 86_400;
const MAX_KNOWN = 200;

interface Known {
  readonly lines: SharedLines;
  messages: number;
  /** Unix seconds up to which Redis keeps them, as far as we know; 0 for not at all. */
  until: number;
  /** Unix milliseconds of the last look. */
  checked: number;
}

/**
 * Keeps what messages have in common once. No message waits for that: lines are written in the background, and used by
 * records only after Redis has acknowledged them, so that whatever Redis saves or replicates of a record, it has saved
 * or replicated its lines before. Where that order does not hold, across the nodes of a cluster, nothing is shared.
 */
export class LineSharing {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  readonly #common = new CommonLines();
  /** By text. */
  readonly #known = new Map<string, Known>();
  /** By id, for reading. */
  readonly #read = new Map<string, SharedLines>();
  #lastNew = 0;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
    // Another server may answer next time, or the same one without its last second: what it has is no longer known.
    connection.onLost(() => {
      for (const known of this.#known.values()) known.until = 0;
    });
  }

  /**
   * @param lines all of a message
   * @param expires of the message, Unix seconds
   * @returns what its record may be deflated against; undefined where nothing is shared (yet)
   */
  sharedBy(lines: readonly string[], recipient: string, expires: number): SharedLines | undefined {
    if (this.#connection.isCluster || recipient === '') return undefined;
    const common = this.#common.of(lines, recipient);
    if (common.length < MIN_LINES) return undefined;
    const text = `${common.join('\n')}\n`;
    if (text.length < MIN_LENGTH || Buffer.byteLength(text) > MAX_SHARED_BYTES) return undefined;
    const known = this.#knownOf(text);
    known.messages++;
    const now = Date.now();
    const enough = known.until >= expires;
    if ((enough || this.#mayKeep(known, now)) && now - known.checked > CHECK_MS) {
      known.checked = now;
      void this.#keep(known, enough ? known.until : expires + SLACK_SECONDS);
    }
    return enough ? known.lines : undefined;
  }

  /**
   * The shared lines of a record that is to be opened.
   * @throws StoreUnavailable when they cannot be had
   */
  async find(id: Buffer): Promise<SharedLines> {
    const name = id.toString('base64url');
    const cached = this.#read.get(name);
    if (cached !== undefined) return cached;
    const key = this.#keys.sharedLines(name);
    const value = await this.#connection.run((client) => client.getBuffer(key));
    if (value === null) throw new StoreUnavailable(`${key} is gone, which other records build on`);
    let lines: SharedLines;
    try {
      lines = decodeSharedLines(value, Buffer.from(id));
    } catch (error) {
      throw new StoreUnavailable(`${key}: ${(error as Error).message}`, { cause: error });
    }
    if (this.#read.size >= MAX_KNOWN) this.#read.clear();
    this.#read.set(name, lines);
    return lines;
  }

  #knownOf(text: string): Known {
    let known = this.#known.get(text);
    if (known === undefined) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear();
      known = { lines: sharedLines(text), messages: 0, until: 0, checked: 0 };
      this.#known.set(text, known);
    }
    return known;
  }

  #mayKeep(known: Known, now: number): boolean {
    if (known.messages < MESSAGES || now - this.#lastNew < PAUSE_MS) return false;
    this.#lastNew = now;
    return true;
  }

  /** Sees to it that Redis has the lines until then; another process may have written them, and never for less long. */
  async #keep(known: Known, until: number): Promise<void> {
    const key = this.#keys.sharedLines(known.lines.id.toString('base64url'));
    const value = encodeSharedLines(known.lines);
    const lifetime = until - Math.floor(Date.now() / 1000);
    const { losses } = this.#connection;
    try {
      await this.#connection.run(async (client) => {
        const written = await client.set(key, value, 'EX', lifetime, 'NX');
        if (written === null && (await client.ttl(key)) < lifetime - 1) {
          await client.expire(key, lifetime);
        }
      });
      if (this.#connection.losses === losses) known.until = until;
    } catch {
      // Without them, records are longer; nothing else.
      known.until = 0;
    }
  }
}
