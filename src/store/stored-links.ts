import type {
  GivenUp,
  IssuedLinks,
  LinkIssuer,
  LinkResolver,
  ResolvedLink,
} from '../link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../link/message-facts.ts';
import { isMessageId, newMessageId } from '../link/message-id.ts';
import {
  encodeRecord,
  type MessageRecord,
  OpenRecord,
  sharedIdOf,
} from '../link/message-record.ts';
import { formatStoredToken, LinkChecks, parseStoredToken } from '../link/stored-token.ts';
import { hostName } from '../link/tracking-host.ts';
import type { RedisConnection } from './connection.ts';
import { EditionSharing } from './edition-sharing.ts';
import type { Keys } from './keys.ts';
import { RecordReads } from './record-reads.ts';
import type { ReplicatedWrites } from './replicated-writes.ts';
import { UnreadableRecord } from './unreadable-record.ts';

/** Records kept open, and the most characters one of them may have. */
const RECENT = 500;
const RECENT_LENGTH = 20_000;

/** A link as Redis knows it, and the version of the block list that was read in the same round trip. */
export interface StoredLink extends ResolvedLink {
  readonly blocksVersion: string;
}

/** Links whose message has a record in Redis: one key a message, written and read in one round trip. */
export class StoredLinks implements LinkIssuer, LinkResolver {
  readonly kind = 'stored';
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  readonly #replicated: ReplicatedWrites | undefined;
  readonly #reads: RecordReads;
  readonly #sharing: EditionSharing;
  readonly #recent = new Map<string, { readonly value: Buffer; readonly record: OpenRecord }>();

  /** @param replicated where replicas are asked for; over the same connection */
  constructor(connection: RedisConnection, keys: Keys, replicated?: ReplicatedWrites) {
    this.#connection = connection;
    this.#keys = keys;
    this.#reads = new RecordReads(connection, keys);
    this.#sharing = new EditionSharing(connection, keys);
    this.#replicated = replicated;
  }

  /** @throws RangeError for a message id that newMessageId did not make */
  issue(message: MessageFacts): IssuedLinks {
    if (!isMessageId(message.messageId)) {
      throw new RangeError(`"${message.messageId}" is not a message id of newMessageId`);
    }
    const links: TrackedLink[] = [];
    // As random and as long as an id.
    const secret = newMessageId();
    const checks = new LinkChecks(secret);
    return {
      token: (link) => {
        links.push(link);
        return formatStoredToken(message.messageId, links.length - 1, checks);
      },
      commit: async (givenUp) => {
        if (links.length > 0) await this.#save({ message, secret, links }, givenUp);
      },
    };
  }

  async resolve(token: string): Promise<StoredLink | undefined> {
    const parsed = parseStoredToken(token);
    if (parsed === undefined) return undefined;
    const { form, messageId, index, check } = parsed;
    const [value, version] = await this.#reads.read(messageId);
    if (value === null) return undefined;
    const record = this.#recentOf(value, messageId) ?? (await this.open(value, messageId));
    const link = record.link(index);
    if (link === undefined || record.checks.of(index, form) !== check) return undefined;
    const { message, linkCount } = record;
    return {
      link,
      message,
      linkCount,
      blocksVersion: version,
      isFor: (host) => host === message.domain || hostName(host) === hostName(message.domain),
    };
  }

  /**
   * Opens a record as it was read.
   * @throws StoreUnavailable where it cannot be; UnreadableRecord where that will not change
   */
  async open(value: Buffer, messageId: string): Promise<OpenRecord> {
    const sharedId = sharedIdOf(value);
    const shared = sharedId && (await this.#sharing.find(sharedId));
    let record: OpenRecord;
    try {
      record = new OpenRecord(value, messageId, shared);
    } catch (error) {
      // No reason to tell someone that his link never was: a later release may have written it.
      throw new UnreadableRecord(`record of message ${messageId}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (record.length <= RECENT_LENGTH) {
      if (this.#recent.size >= RECENT) this.#recent.clear();
      // A copy: what the client hands out is a window on all that came with it.
      this.#recent.set(messageId, { value: Buffer.from(value), record });
    }
    return record;
  }

  /**
   * Whoever follows one link of a message often follows more of them: the last records stay open, while Redis has the
   * same.
   */
  #recentOf(value: Buffer, messageId: string): OpenRecord | undefined {
    const recent = this.#recent.get(messageId);
    return recent?.value.equals(value) ? recent.record : undefined;
  }

  async #save(record: MessageRecord, givenUp: GivenUp | undefined): Promise<void> {
    const { losses } = this.#connection;
    const value = this.#sharing.encode(record);
    await this.#write(record.message, value, givenUp);
    // What is sent again after a break may come to a server that has lost, or never had, the edition of a copy.
    if (losses !== this.#connection.losses && sharedIdOf(value) !== undefined) {
      await this.#write(record.message, encodeRecord(record), givenUp);
    }
  }

  async #write(
    { messageId, expires }: MessageFacts,
    value: Buffer,
    givenUp: GivenUp | undefined,
  ): Promise<void> {
    const key = this.#keys.message(messageId);
    const lifetime = Math.max(1, expires - Math.floor(Date.now() / 1000));
    if (this.#replicated !== undefined) {
      await this.#replicated.set(key, value, lifetime, givenUp);
    } else {
      await this.#connection.run((client) => client.set(key, value, 'EX', lifetime), givenUp);
    }
  }
}
