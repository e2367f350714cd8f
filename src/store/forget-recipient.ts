import { isEventAbout } from '../link/event-stream.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { encodeRecord, recipientsOfCopy } from '../link/message-record.ts';
import { mastersOf } from './client.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { StoredLinks } from './stored-links.ts';
import { ENTRIES_AT_ONCE, eventsOf } from './stream-reply.ts';
import { UnreadableRecord } from './unreadable-record.ts';

/** What of a recipient was found and erased. */
export interface Forgotten {
  /** Records of messages that went to nobody else: erased, with their links and the counts of their clicks. */
  readonly records: number;
  /** Records of messages that went to others as well: the address was taken out. */
  readonly shared: number;
  /** Click events in the stream. */
  readonly events: number;
  /** Records that could not be read: whether they are the recipient's is not known, or they are shared with others. */
  readonly unreadable: number;
  /** Why the last of them could not. */
  readonly whyUnreadable?: string;
}

type Finding = { -readonly [Name in keyof Forgotten]: Forgotten[Name] };

const PORTION = 500;

/**
 * Erases what Redis holds about a recipient. There is no index of recipients (it would be one more
 * list of addresses to guard): every record and every event is looked at.
 *
 * @param address compared without regard to case
 * @param progress told how many keys and events have been looked at, of how many
 * @throws StoreUnavailable; what was erased by then stays erased, and the call can be made again
 */
export async function forgetRecipient(
  connection: RedisConnection,
  keys: Keys,
  stored: StoredLinks,
  address: string,
  progress: (done: number, total: number) => void,
): Promise<Forgotten> {
  const wanted = address.toLowerCase();
  const found: Finding = { records: 0, shared: 0, events: 0, unreadable: 0 };
  let total = await connection.run((client) => client.xlen(keys.events));
  const servers = mastersOf(connection.client);
  for (const server of servers) total += await connection.run(() => server.dbsize());
  let done = 0;

  for (const server of servers) {
    let cursor = '0';
    do {
      const [next, page] = await connection.run(() =>
        server.scan(cursor, 'MATCH', keys.messages, 'COUNT', PORTION),
      );
      const values = await connection.run((client) =>
        Promise.all(page.map((key) => client.getBuffer(key))),
      );
      for (const [i, key] of page.entries()) {
        const value = values[i];
        if (!value) continue;
        try {
          await forgetInRecord(connection, keys, stored, key, value, wanted, found);
        } catch (error) {
          // Where Redis does not answer, it can be tried again; what is wrong with a record stays wrong.
          const isAway = error instanceof StoreUnavailable && !(error instanceof UnreadableRecord);
          if (isAway) throw error;
          found.unreadable++;
          found.whyUnreadable = (error as Error).message;
        }
      }
      cursor = next;
      // SCAN walks over all keys, and gives those that match.
      done = Math.min(total, done + PORTION);
      progress(done, total);
    } while (cursor !== '0');
  }
  await forgetInStream(connection, keys, wanted, found);
  progress(total, total);
  return found;
}

async function forgetInRecord(
  connection: RedisConnection,
  keys: Keys,
  stored: StoredLinks,
  key: string,
  value: Buffer,
  wanted: string,
  found: Finding,
): Promise<void> {
  const messageId = keys.messageIdOf(key);
  const before =
    recipientsOfCopy(value) ?? (await stored.open(value, messageId)).message.recipients;
  if (!before.some((recipient) => recipient.toLowerCase() === wanted)) return;
  // A place without address stays: whose a click is remains unknown, also where only one is left.
  const recipients = before.map((recipient) =>
    recipient.toLowerCase() === wanted ? '' : recipient,
  );
  if (recipients.every((recipient) => recipient === '')) {
    await connection.run((client) =>
      Promise.all([client.del(key), client.del(keys.clicked(messageId))]),
    );
    found.records++;
    return;
  }
  const { message, secret, links } = await stored.contents(value, messageId);
  const shared = encodeRecord({ message: { ...message, recipients }, secret, links });
  const lifetime = await connection.run((client) => client.ttl(key));
  await connection.run((client) => client.set(key, shared, 'EX', Math.max(1, lifetime), 'XX'));
  found.shared++;
}

async function forgetInStream(
  connection: RedisConnection,
  keys: Keys,
  wanted: string,
  found: Finding,
): Promise<void> {
  for (let start = '-'; ; ) {
    const entries = await connection.run((client) =>
      client.xrange(keys.events, start, '+', 'COUNT', ENTRIES_AT_ONCE),
    );
    const last = entries.at(-1)?.[0];
    if (last === undefined) return;
    const ids = eventsOf(entries)
      .filter(({ event }) => isEventAbout(wanted, event))
      .map(({ id }) => id);
    if (ids.length > 0) await connection.run((client) => client.xdel(keys.events, ...ids));
    found.events += ids.length;
    start = `(${last}`;
  }
}
