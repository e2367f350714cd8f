import { LRUCache } from 'lru-cache';
import { hostName } from '../../lib/host-name.ts';
import { MAX_TARGET } from '../../link/fact.ts';
import type {
  GivenUp,
  IssuedLinks,
  LinkIssuer,
  LinkResolver,
  ResolvedLink,
  StoredMessage,
} from '../../link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../../link/message-facts.ts';
import { assertMessageId, isMessageId, newMessageId } from '../../link/message-id.ts';
import {
  encodeRecord,
  MAX_LINKS_LENGTH,
  type MessageRecord,
  OpenRecord,
  templateIdOf,
} from '../../link/message-record.ts';
import {
  formatStoredToken,
  LinkChecks,
  parseStoredToken,
  storedMessage,
} from '../../link/stored-token.ts';
import type { RedisConnection } from './connection.ts';
import { RecordReads, UnreadableRecord } from './record-reads.ts';
import type { ReplicatedWrites } from './replicated-writes.ts';
import { TemplateSharing } from './template-sharing.ts';

/** A rough limit for the characters of the records that stay open; more than a record can have. */
const RECENT_LENGTH = 32 * 1024 * 1024;
/**
 * The most characters that a link takes in a record beside its target: its part, and a name of 63
 * bytes in JSON.
 */
const LINK_LENGTH = 400;

/**
 * Links whose message has a record in Redis: one key per message, written and read in one round
 * trip.
 */
export class StoredLinks implements LinkIssuer, LinkResolver {
  readonly kind = 'stored';
  readonly maxTarget = MAX_TARGET;
  readonly #connection: RedisConnection;
  readonly #replicated: ReplicatedWrites | undefined;
  readonly #reads: RecordReads;
  readonly #sharing: TemplateSharing;
  readonly #recent = new LRUCache<string, { value: Buffer; record: OpenRecord }>({
    maxSize: RECENT_LENGTH,
    sizeCalculation: ({ value, record }) => value.length + record.length + 1,
  });

  /**
   * @param onBlocksVersion receives the version of the block list whenever a record is read
   * @param replicated writes on the same connection, where replicas are asked for
   */
  constructor(
    connection: RedisConnection,
    onBlocksVersion: (version: string) => void,
    replicated?: ReplicatedWrites,
  ) {
    this.#connection = connection;
    this.#reads = new RecordReads(connection, onBlocksVersion);
    this.#sharing = new TemplateSharing(connection);
    this.#replicated = replicated;
  }

  /** @throws RangeError for a message id that newMessageId did not create */
  issue(message: MessageFacts): IssuedLinks {
    assertMessageId(message.messageId);
    const links: TrackedLink[] = [];
    let length = 0;
    // Of the same form as an id: as random, and as long.
    const secret = newMessageId();
    const checks = new LinkChecks(secret);
    return {
      token: (link) => {
        length += link.target.length + LINK_LENGTH;
        if (length > MAX_LINKS_LENGTH) return undefined;
        links.push(link);
        return formatStoredToken(message.messageId, links.length - 1, checks);
      },
      commit: (givenUp) =>
        links.length > 0 ? this.#save({ message, secret, links }, givenUp) : Promise.resolve(),
    };
  }

  async resolve(token: string): Promise<ResolvedLink | undefined> {
    const parsed = parseStoredToken(token);
    if (parsed === undefined) return undefined;
    const { form, messageId, index, check } = parsed;
    const value = await this.#reads.read(messageId);
    if (value === null) return undefined;
    const record = this.#recentOf(value, messageId) ?? (await this.open(value, messageId));
    const link = readable(messageId, () => record.link(index));
    if (link === undefined || record.checks.of(index, form) !== check) return undefined;
    const { message, linkCount } = record;
    return {
      link,
      message,
      linkCount,
      position: index,
      isFor: (host) => host === message.domain || hostName(host) === hostName(message.domain),
    };
  }

  async findMessage(messageId: string): Promise<StoredMessage | undefined> {
    if (!isMessageId(messageId)) return undefined;
    const value = await this.#reads.read(messageId);
    if (value === null) return undefined;
    const { message, secret, links } = await this.contents(value, messageId);
    return storedMessage(message, links, new LinkChecks(secret));
  }

  /**
   * Opens a record as it was read.
   * @throws StoreUnavailable where that fails; UnreadableRecord where it will always fail
   */
  async open(value: Buffer, messageId: string): Promise<OpenRecord> {
    const templateId = templateIdOf(value);
    const template = templateId && (await this.#sharing.find(templateId));
    const record = readable(messageId, () => new OpenRecord(value, messageId, template));
    // A copy: the client's buffer is a window on everything that came with it.
    this.#recent.set(messageId, { value: Buffer.from(value), record });
    return record;
  }

  /**
   * Readers who click one link of a message often click more: the last records stay open, as long
   * as Redis has the same values.
   */
  #recentOf(value: Buffer, messageId: string): OpenRecord | undefined {
    const recent = this.#recent.get(messageId);
    return recent?.value.equals(value) ? recent.record : undefined;
  }

  /**
   * The contents of a record as it was read.
   * @throws StoreUnavailable where it cannot be opened; UnreadableRecord where that will always
   * fail
   */
  async contents(value: Buffer, messageId: string): Promise<MessageRecord> {
    const record = await this.open(value, messageId);
    return readable(messageId, () => record.contents());
  }

  async #save(record: MessageRecord, givenUp: GivenUp | undefined): Promise<void> {
    const { losses } = this.#connection;
    const value = this.#sharing.encode(record);
    await this.#write(record.message, value, givenUp);
    // A record sent again after a break may reach a server that has lost, or never had, its
    // template.
    if (losses !== this.#connection.losses && templateIdOf(value) !== undefined) {
      await this.#write(record.message, encodeRecord(record), givenUp);
    }
  }

  #write(
    { messageId, expires }: MessageFacts,
    value: Buffer,
    givenUp: GivenUp | undefined,
  ): Promise<unknown> {
    const key = this.#connection.keys.message(messageId);
    const lifetime = Math.max(1, expires - Math.floor(Date.now() / 1000));
    return this.#replicated === undefined
      ? this.#connection.run((client) => client.set(key, value, 'EX', lifetime), givenUp)
      : this.#replicated.set(key, value, lifetime, givenUp);
  }
}

/**
 * @throws UnreadableRecord where that fails: a later release may have written the record, so its
 * links are not unknown
 */
function readable<T>(messageId: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UnreadableRecord(`record of message ${messageId}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
