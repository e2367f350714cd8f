import { inBackground } from '../../lib/background.ts';
import { linkLines } from '../../link/link-line.ts';
import { encodeCopy, encodeRecord, type MessageRecord } from '../../link/message-record.ts';
import {
  decodeSharedLines,
  encodeSharedLines,
  MAX_SHARED_BYTES,
  type SharedLines,
} from '../../link/shared-lines.ts';
import type { Edition } from '../../link/template.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { RecentByLinks } from './recent-by-links.ts';
import { EditionCandidate } from './template-learner.ts';
import { UnreadableRecord } from './unreadable-record.ts';

/** Fewer links, or shorter ones, are not worth a key of their own. */
const MIN_LINKS = 6;
const MIN_LENGTH = 400;
/** Who must have got a newsletter before its edition is kept: thousands will; a receipt does not come twice. */
const RECIPIENTS = 4;
/** Between two newly found editions, so that mail which only looks alike does not fill Redis with them. */
const PAUSE_MS = 5_000;
/** How long lines are relied on without a look at whether they are still there. */
const CHECK_MS = 1_000;
/** An edition outlives the message for which it is kept, so that those of the next weeks can use it as well. */
const SLACK_SECONDS = 40 * 86_400;
const MAX_KNOWN = 200;
const MAX_CANDIDATES = 300;

interface Known {
  readonly edition: Edition;
  /** Unix seconds up to which Redis keeps it, as far as we know; 0 for not at all. */
  until: number;
  /** Connections lost when that was known. */
  losses: number;
  /** When it was last looked at, by performance.now: the clock may jump. */
  checked: number;
}

/**
 * Keeps what the copies of a newsletter have in common once. No message waits for that: an edition is written in the
 * background, and used by records only after Redis has acknowledged it, so that whatever Redis saves or replicates of a
 * record, it has saved or replicated its edition before. Where that order does not hold, across the nodes of a cluster,
 * nothing is shared.
 */
export class EditionSharing {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  readonly #known = new RecentByLinks<Known>(MAX_KNOWN);
  readonly #candidates = new RecentByLinks<EditionCandidate>(MAX_CANDIDATES);
  /** By id, for reading. */
  readonly #read = new Map<string, SharedLines>();
  /** By performance.now. */
  #lastNew = Number.NEGATIVE_INFINITY;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** The record as it is to be written: as a copy of its edition, where there is one that Redis has. */
  encode(record: MessageRecord): Buffer {
    const { links, message } = record;
    const [recipient = ''] = message.recipients;
    if (this.#connection.isCluster || links.length < MIN_LINKS || recipient === '') {
      return encodeRecord(record);
    }
    let copy: Buffer | undefined;
    const known = this.#known.find(links, ({ edition }) => {
      copy = encodeCopy(record, edition);
      return copy !== undefined;
    });
    if (known !== undefined) {
      const isKept = this.#isKept(known, message.expires);
      return isKept && copy !== undefined ? copy : encodeRecord(record);
    }
    const lines = linkLines(links);
    if (lines.length <= MAX_SHARED_BYTES) this.#learn(record, lines, recipient);
    return encodeRecord(record, lines);
  }

  /**
   * The shared lines of a record that is to be opened.
   * @throws StoreUnavailable when they cannot be had; UnreadableRecord when they are gone or damaged
   */
  async find(id: Buffer): Promise<SharedLines> {
    const name = id.toString('base64url');
    const cached = this.#read.get(name);
    if (cached !== undefined) return cached;
    const key = this.#keys.sharedLines(name);
    const value = await this.#connection.run((client) => client.getBuffer(key));
    if (value === null) throw new UnreadableRecord(`${key} is gone, which other records build on`);
    let lines: SharedLines;
    try {
      lines = decodeSharedLines(value, Buffer.from(id));
    } catch (error) {
      throw new UnreadableRecord(`${key}: ${(error as Error).message}`, { cause: error });
    }
    if (this.#read.size >= MAX_KNOWN) this.#read.clear();
    this.#read.set(name, lines);
    return lines;
  }

  /** Takes note of a message that is a copy of no known edition. */
  #learn(record: MessageRecord, lines: string, recipient: string): void {
    const { links, message } = record;
    let again = false;
    const candidate = this.#candidates.find(links, (other) => {
      again = other.isAgain(lines, recipient);
      // What has become an edition may still be found under other links.
      return again || (other.recipients < RECIPIENTS && other.absorb(record, recipient));
    });
    if (again) return;
    if (candidate === undefined) {
      this.#candidates.add(links, new EditionCandidate(message, lines, recipient));
      return;
    }
    if (candidate.recipients < RECIPIENTS) return;
    this.#candidates.remove(links, candidate);
    const edition = candidate.edition(MIN_LINKS, MIN_LENGTH);
    if (edition === undefined || edition.shared.text.length > MAX_SHARED_BYTES) return;
    const known = { edition, until: 0, losses: 0, checked: Number.NEGATIVE_INFINITY };
    this.#known.add(links, known);
    this.#isKept(known, message.expires);
  }

  /** Whether Redis has it for long enough; sees to it now and then that it has. */
  #isKept(known: Known, expires: number): boolean {
    const now = performance.now();
    // After a break another server may answer, or the same one without its last second: what it has is not known.
    const isKept = known.until >= expires && known.losses === this.#connection.losses;
    if (now - known.checked > CHECK_MS && (isKept || this.#mayKeep(now))) {
      known.checked = now;
      const until = isKept ? known.until : expires + SLACK_SECONDS;
      inBackground('keep a template in Redis', () => this.#keep(known, until));
    }
    return isKept;
  }

  #mayKeep(now: number): boolean {
    if (now - this.#lastNew < PAUSE_MS) return false;
    this.#lastNew = now;
    return true;
  }

  /** Sees to it that Redis has the lines until then; another process may have written them, and never for less long. */
  async #keep(known: Known, until: number): Promise<void> {
    const key = this.#keys.sharedLines(known.edition.shared.id.toString('base64url'));
    const value = encodeSharedLines(known.edition.shared);
    const lifetime = until - Math.floor(Date.now() / 1000);
    const { losses } = this.#connection;
    try {
      await this.#connection.run(async (client) => {
        const written = await client.set(key, value, 'EX', lifetime, 'NX');
        if (written === null && (await client.ttl(key)) < lifetime - 1) {
          await client.expire(key, lifetime);
        }
      });
      known.until = until;
      known.losses = losses;
    } catch {
      // Without them, records are longer; nothing else.
      known.until = 0;
    }
  }
}
