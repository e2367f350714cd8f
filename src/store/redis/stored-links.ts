import { LRUCache } from 'lru-cache';
import type { MessageFacts, TrackedLink } from '../../link/facts.ts';
import type {
  GivenUp,
  IssuedLinks,
  LinkIssuer,
  LinkResolver,
  ResolvedLink,
} from '../../link/link-store.ts';
import { isMessageId, newMessageId } from '../../link/message-id.ts';
import {
  encodeRecord,
  MAX_LINKS_LENGTH,
  MAX_TARGET,
  type MessageRecord,
  OpenRecord,
  sharedIdOf,
} from '../../link/message-record.ts';
import { formatStoredToken, LinkChecks, parseStoredToken } from '../../link/stored-token.ts';
import { hostName } from '../../link/tracking-host.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { RecordReads } from './record-reads.ts';
import type { ReplicatedWrites } from './replicated-writes.ts';
import { EditionSharing } from './template-sharing.ts';
import { UnreadableRecord } from './unreadable-record.ts';

/** Characters of the records that are kept open, roughly; more than a record can have. */
const RECENT_LENGTH = 32 * 1024 * 1024;
/** Characters a link takes in a record beside its target, at the most: its part and a name of 63 bytes in JSON. */
const LINK_LENGTH = 400;

/** A link as Redis knows it, and the version of the block list that was read in the same round trip. */
export interface StoredLink extends ResolvedLink {
  readonly blocksVersion: string;
}

/** Links whose message has a record in Redis: one key a message, written and read in one round trip. */
export class StoredLinks implements LinkIssuer, LinkResolver {
  readonly kind = 'stored';
  readonly maxTarget = MAX_TARGET;
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  readonly #replicated: ReplicatedWrites | undefined;
  readonly #reads: RecordReads;
  readonly #sharing: EditionSharing;
  readonly #recent = new LRUCache<string, { value: Buffer; record: OpenRecord }>({
    maxSize: RECENT_LENGTH,
    sizeCalculation: ({ value, record }) => value.length + record.length + 1,
  });

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
    let length = 0;
    // As random and as long as an id.
    const secret = newMessageId();
    const checks = new LinkChecks(secret);
    return {
      token: (link) => {
        length += link.target.length + LINK_LENGTH;
        if (length > MAX_LINKS_LENGTH) return undefined;
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
    const link = readable(messageId, () => record.link(index));
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
    const record = readable(messageId, () => new OpenRecord(value, messageId, shared));
    // A copy: what the client hands out is a window on all that came with it.
    this.#recent.set(messageId, { value: Buffer.from(value), record });
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

  /**
   * All of a record as it was read.
   * @throws StoreUnavailable where it cannot be opened; UnreadableRecord where that will not change
   */
  async contents(value: Buffer, messageId: string): Promise<MessageRecord> {
    const record = await this.open(value, messageId);
    return readable(messageId, () => record.contents());
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

/** @throws UnreadableRecord where that fails: a later release may have written the record, so the link is not unknown */
function readable<T>(messageId: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UnreadableRecord(`record of message ${messageId}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
