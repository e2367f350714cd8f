import { type Note, type StoredEvent, Superseded } from '../events.ts';
import type { RedisConnection } from './connection.ts';
import { isOfOtherType } from './count-fields.ts';

/** Ids of events that are remembered: one whose answer was lost comes again soon. */
const REMEMBERED = 20_000;
/** The id of a note is a number with this many digits, so that ids are compared as texts. */
const ID_LENGTH = 16;
/** The first line of a note is its id. Notes of before these numbers have a random one. */
const NOTE = /^(\d{16}|[\da-f]{10})(?:\n|$)/;

/** The beginning of a script: whether the id of a note is later than another. */
export const IS_LATER = `
local function isLater(id, other)
  return #id == ${ID_LENGTH} and #other == ${ID_LENGTH} and id > other
end`;

/**
 * The id of the next note. It is a time, so that ids go on rising where a Redis has lost the note.
 */
export function nextNoteId(last: string): string {
  const number = /^\d{16}$/.test(last) ? Number(last) : 0;
  return String(Math.max(number + 1, Date.now())).padStart(ID_LENGTH, '0');
}

/**
 * Replaces a note that is still the one before, remembers ids, and acknowledges events, some at a
 * time: Lua passes few arguments.
 * KEYS: the stream, the note, the ids. ARGV: the group, the beginning of the note before, the note,
 * the number of ids, the ids, and the places of the events.
 * Returns 0 where there is another note.
 */
const KEEP = `
if redis.pcall('GETRANGE', KEYS[2], 0, ${ID_LENGTH - 1}) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
local first = 5 + tonumber(ARGV[4])
for i = 5, first - 1, 1000 do
  redis.pcall('LPUSH', KEYS[3], unpack(ARGV, i, math.min(i + 999, first - 1)))
end
redis.pcall('LTRIM', KEYS[3], 0, ${REMEMBERED - 1})
for i = first, #ARGV, 1000 do
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return 1`;

/**
 * The notes of a consumer group. Each is kept in place of the one before, or not at all, so a
 * process that was stopped, and goes on when another has taken over, changes nothing.
 */
export class Notes {
  readonly #connection: RedisConnection;
  readonly #group: string;
  /** The beginning of the note that this process read or kept last; undefined: it did neither. */
  #last: Buffer | undefined;

  constructor(connection: RedisConnection, group: string) {
    this.#connection = connection;
    this.#group = group;
  }

  async read(): Promise<Note> {
    const { keys } = this.#connection;
    const key = keys.note(this.#group);
    const ids = keys.noted(this.#group);
    const value = await this.#unlessForeign(key, (client) => client.getBuffer(key));
    const eventIds = await this.#unlessForeign(ids, (client) => client.lrange(ids, 0, -1));
    this.#last = value?.subarray(0, ID_LENGTH) ?? Buffer.alloc(0);
    const whole = value?.toString() ?? '';
    const [start = '', id = ''] = NOTE.exec(whole) ?? [];
    return { id, text: whole.slice(start.length), eventIds: eventIds ?? [] };
  }

  /** @throws Superseded */
  async keep(
    events: readonly StoredEvent[],
    { text, eventIds }: Omit<Note, 'id'>,
  ): Promise<string> {
    const { keys } = this.#connection;
    const last = this.#last ?? Buffer.alloc(0);
    const id = nextNoteId(last.toString());
    const note = text === '' ? id : `${id}\n${text}`;
    const group = this.#group;
    const places = events.map((event) => event.id);
    const args = [group, last, note, eventIds.length, ...eventIds, ...places];
    const isKept = await this.#connection.run((client) =>
      client.eval(KEEP, 3, keys.events, keys.note(group), keys.noted(group), ...args),
    );
    if (isKept !== 1) throw new Superseded(`${keys.note(group)}: another process has kept a note`);
    this.#last = Buffer.from(id);
    return id;
  }

  /** Reads a value. One of another type is removed: nothing of ours is lost with it. */
  async #unlessForeign<T>(
    key: string,
    read: (client: RedisConnection['client']) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await this.#connection.run(read);
    } catch (error) {
      if (!isOfOtherType(error)) throw error;
      await this.#connection.run((client) => client.del(key));
      return undefined;
    }
  }
}
