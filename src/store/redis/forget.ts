import { limitIdentity } from '../../link/identity.ts';
import { StoreUnavailable } from '../../link/link-store.ts';
import { encodeRecord, recipientsOfInstance } from '../../link/message-record.ts';
import { isEventAbout } from '../event-line.ts';
import type { ForgetRequest, Forgotten } from '../store.ts';
import { mastersOf } from './client.ts';
import type { RedisConnection } from './connection.ts';
import { ENTRIES_AT_ONCE, eventsOf } from './event-reader.ts';
import { UnreadableRecord } from './record-reads.ts';
import type { StoredLinks } from './stored-links.ts';

type Finding = { -readonly [Name in keyof Forgotten]: Forgotten[Name] };

const PORTION = 500;
/** Records in memory at once: they may be long. */
const RECORDS_AT_ONCE = 20;

/**
 * Erases everything that Redis holds about a recipient. There is no index of recipients, which
 * would be one more list of addresses to guard, so every record and every event is read.
 *
 * @throws StoreUnavailable; everything erased by then stays erased, and the call can be repeated
 */
export async function forgetRecipient(
  connection: RedisConnection,
  stored: StoredLinks,
  { address, keepLinks = false, progress = () => {} }: ForgetRequest,
): Promise<Forgotten> {
  const { keys } = connection;
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
      for (let start = 0; start < page.length; start += RECORDS_AT_ONCE) {
        const some = page.slice(start, start + RECORDS_AT_ONCE);
        const values = await connection.run((client) =>
          Promise.all(some.map((key) => client.getBuffer(key).catch(unlessForeign))),
        );
        for (const [at, value] of values.entries()) {
          if (value === null) continue;
          try {
            if (value instanceof Error) throw new UnreadableRecord(`${some[at]}: ${value.message}`);
            const id = keys.messageIdOf(some[at] ?? '');
            const erased = await forgetInRecord(connection, stored, id, value, wanted, keepLinks);
            if (erased !== undefined) found[erased]++;
          } catch (error) {
            // A Redis that does not answer can be asked again; a record that cannot be read stays
            // so.
            const isAway =
              error instanceof StoreUnavailable && !(error instanceof UnreadableRecord);
            if (isAway) throw error;
            found.unreadable++;
            found.whyUnreadable = (error as Error).message;
          }
        }
      }
      cursor = next;
      // SCAN walks over all keys, and gives those that match.
      done = Math.min(total, done + PORTION);
      progress(done, total);
    } while (cursor !== '0');
  }
  found.events = await forgetInStream(connection, wanted);
  progress(total, total);
  return found;
}

/** @returns the error of a key that does not hold a record */
function unlessForeign(error: unknown): Error {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return error;
  throw error;
}

/**
 * @returns what was erased: the record of a message to nobody else, or the address in a shared one
 */
async function forgetInRecord(
  connection: RedisConnection,
  stored: StoredLinks,
  messageId: string,
  value: Buffer,
  wanted: string,
  keepLinks: boolean,
): Promise<'records' | 'shared' | undefined> {
  const { keys } = connection;
  const key = keys.message(messageId);
  const before =
    recipientsOfInstance(value) ?? (await stored.open(value, messageId)).message.recipients;
  if (!before.some((recipient) => recipient.toLowerCase() === wanted)) return undefined;
  // An empty place stays, so that clicks are not attributed to the one recipient that may be left.
  const recipients = before.map((recipient) =>
    recipient.toLowerCase() === wanted ? '' : recipient,
  );
  const isOwn = recipients.every((recipient) => recipient === '');
  if (isOwn && !keepLinks) {
    await connection.run((client) =>
      Promise.all([client.del(key), client.del(keys.clicked(messageId))]),
    );
    return 'records';
  }
  const { message, secret, links } = await stored.contents(value, messageId);
  const facts = isOwn ? limitIdentity(message, 'none') : { ...message, recipients };
  const record = encodeRecord({ message: facts, secret, links });
  const lifetime = await connection.run((client) => client.ttl(key));
  await connection.run((client) => client.set(key, record, 'EX', Math.max(1, lifetime), 'XX'));
  return isOwn ? 'records' : 'shared';
}

/** @returns how many events were erased */
async function forgetInStream(connection: RedisConnection, wanted: string): Promise<number> {
  const { events } = connection.keys;
  let erased = 0;
  for (let start = '-'; ; ) {
    const entries = await connection.run((client) =>
      client.xrange(events, start, '+', 'COUNT', ENTRIES_AT_ONCE),
    );
    const last = entries.at(-1)?.[0];
    if (last === undefined) return erased;
    const ids = eventsOf(entries)
      .filter(({ event }) => isEventAbout(wanted, event))
      .map(({ id }) => id);
    if (ids.length > 0) await connection.run((client) => client.xdel(events, ...ids));
    erased += ids.length;
    start = `(${last}`;
  }
}
