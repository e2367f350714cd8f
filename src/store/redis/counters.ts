import { setImmediate as nextTurn } from 'node:timers/promises';
import { inBackground } from '../../lib/background.ts';
import { type ClickCounter, type CountedClick, countedText } from '../counters.ts';
import type { SentCounter } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { formatField, linkDigest, otherField } from './count-fields.ts';
import { CountTally } from './count-tally.ts';
import type { Keys } from './keys.ts';

const FLUSH_MS = 1_000;
/** Links or fields in one command: what Redis, and whoever follows a link meanwhile, has to wait for. */
const CHUNK = 200;
/** Different fields a day and hash; what comes after them is counted as "(other)". */
const MAX_FIELDS = 20_000;
/** Clicks that wait while Redis is away; later ones are still counted, but no longer as the first of their link. */
const MAX_WAITING = 20_000;
const DAY_SECONDS = 86_400;
const KEEP_COUNTS = 400 * DAY_SECONDS;
/** A link followed again after this long a silence counts as followed for the first time. */
const KEEP_CLICKED = 90 * DAY_SECONDS;
/**
 * Of an error that a foreign value causes, which will not go away: scripts pass over the value. Any other error, as of a
 * full memory, ends them.
 */
const IS_FOREIGN = `
local function foreign(reply)
  if type(reply) ~= 'table' or not reply.err then return false end
  local e = reply.err
  return e:find('WRONGTYPE') or e:find('not an integer') or e:find('overflow')
end`;
/**
 * One command for many messages; and of two nodes that see the first clicks on a message at the same moment, one is
 * told that it was the first.
 * KEYS: the messages' hashes; ARGV: seconds to keep them, then for each message how many links, and each link and how
 * often it was followed. Returns for each message how many of its links had been followed before, and for each link
 * how often it has been followed by now; -1 where something else stands there.
 */
const MARK = `${IS_FOREIGN}
local at, reply = 2, {}
local function add(...)
  local number = redis.pcall(...)
  if foreign(number) then number = -1 end
  reply[#reply + 1] = number
  return number
end
for _, key in ipairs(KEYS) do
  local before = add('HLEN', key)
  local last = at + 2 * tonumber(ARGV[at])
  for i = at + 1, last, 2 do
    local now = add('HINCRBY', key, ARGV[i], ARGV[i + 1])
    if type(now) == 'table' then return now end
  end
  at = last + 1
  redis.call('EXPIRE', key, ARGV[1])
end
return reply`;
/**
 * KEYS: a day's hash; ARGV: seconds to keep it, the most fields it may have, then fields and what is to be added.
 * Returns how many could not be added, since something else stands there, and then the positions of those for which
 * there was no room: the hash is full, and they are not in it yet.
 */
const INCREASE = `${IS_FOREIGN}
local most, reply = tonumber(ARGV[2]), { 0 }
if foreign(redis.pcall('HLEN', KEYS[1])) then return { (#ARGV - 2) / 2 } end
for i = 3, #ARGV, 2 do
  if redis.call('HLEN', KEYS[1]) < most or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    local now = redis.pcall('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
    if foreign(now) then reply[1] = reply[1] + 1
    elseif type(now) == 'table' then return now end
  else
    reply[#reply + 1] = (i - 3) / 2
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return reply`;

const FOREIGN = 'something else stands where counts should';

type ClickFacts = Omit<CountedClick, 'link' | 'count'>;

interface ClickedLink {
  readonly text: string;
  count: number;
}

/** Clicks on one message that wait to be counted, by the digest of the link. */
type ClickedMessage = ClickFacts & { readonly links: Map<string, ClickedLink> };

type Increase = readonly [field: string, by: number];

/**
 * Counts for reports. Nobody waits for them: they are gathered for a second and written together, a portion at a time;
 * while Redis is away they are kept, added up. A crash loses at most that second's; a batch whose answer was lost may be
 * counted twice.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  /** By message, and by day where it was followed on two. */
  #clicks = new Map<string, ClickedMessage>();
  /** How many links these are. */
  #waiting = 0;
  /** What else is to be counted. */
  #tally = new CountTally();
  /** What is to be added: key, field, number. */
  #counts = new Map<string, Map<string, number>>();
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  readonly #refused: (reason: string) => void;
  /** Why the last flush could not write everything, though Redis answers. */
  #failure: string | undefined;

  /** @param refused told once when counts begin to be refused by a Redis that answers, and why */
  constructor(
    connection: RedisConnection,
    keys: Keys,
    refused: (reason: string) => void = () => {},
  ) {
    this.#connection = connection;
    this.#keys = keys;
    this.#refused = refused;
  }

  sent({ day, campaign = '', pathway = '', links }: Parameters<SentCounter['sent']>[0]): void {
    this.#tally.sent({ day, campaign, by: 'pathway', key: pathway }, 1, links);
    this.#schedule();
  }

  clicked({ link, count, ...click }: CountedClick): void {
    this.#gather(click, linkDigest(link), { text: countedText(link), count });
    this.#schedule();
  }

  #gather(click: ClickFacts, digest: string, clicked: ClickedLink): void {
    const { day, messageId } = click;
    let id = messageId;
    let message = this.#clicks.get(id);
    if (message !== undefined && message.day !== day) {
      id = `${day} ${messageId}`;
      message = this.#clicks.get(id);
    }
    const before = message?.links.get(digest);
    if (before !== undefined) {
      before.count += clicked.count;
      return;
    }
    if (this.#waiting >= MAX_WAITING) {
      this.#tallyClicks(click, clicked.text, clicked.count);
      return;
    }
    if (message === undefined) {
      message = { ...click, links: new Map() };
      this.#clicks.set(id, message);
    }
    message.links.set(digest, clicked);
    this.#waiting++;
  }

  /** Writes what has been gathered; what cannot be written now stays for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#flush());
    return this.#flushing;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    // Else what waits for a Redis that is away would be sent when it is back, and once more by us.
    const isThere = await this.#connection.run((client) => client.ping()).catch(() => undefined);
    if (isThere === undefined) {
      this.#schedule();
      await this.#format();
      return;
    }
    const before = this.#failure;
    this.#failure = undefined;
    await this.#markAll();
    await this.#format();
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [key, fields] of counts) await this.#write(key, fields);
    if (before === undefined && this.#failure !== undefined) this.#refused(this.#failure);
  }

  async #format(): Promise<void> {
    const tally = this.#tally;
    this.#tally = new CountTally();
    let formatted = 0;
    for (const { day, by, field, count } of tally.fields()) {
      const key = by === 'link' ? this.#keys.linkCounts(day) : this.#keys.counts(day);
      this.#add(key, formatField(field), count);
      if (++formatted % CHUNK === 0) await nextTurn();
    }
  }

  async #markAll(): Promise<void> {
    const messages = [...this.#clicks.values()];
    this.#clicks = new Map();
    this.#waiting = 0;
    for (let start = 0; start < messages.length; ) {
      const portion = portionOf(messages, start);
      start += portion.length;
      // In a cluster the keys of one command must lie together.
      const commands = this.#connection.isCluster ? portion.map((one) => [one]) : [portion];
      const marked = await Promise.all(commands.map((command) => this.#mark(command)));
      if (marked.includes(false)) {
        this.#putBack(messages.slice(start));
        return;
      }
    }
  }

  /**
   * Notes in the messages' own hashes that links were followed; only that tells whether it is the first time.
   * @returns whether that could be done
   */
  async #mark(messages: readonly ClickedMessage[]): Promise<boolean> {
    const keys = messages.map(({ messageId }) => this.#keys.clicked(messageId));
    const args: (string | number)[] = [KEEP_CLICKED];
    for (const { links } of messages) {
      args.push(links.size);
      for (const [digest, { count }] of links) args.push(digest, count);
    }
    let reply: readonly number[];
    try {
      reply = (await this.#connection.run((client) =>
        client.eval(MARK, keys.length, ...keys, ...args),
      )) as number[];
    } catch (error) {
      this.#failure = (error as Error).message;
      this.#putBack(messages);
      return false;
    }
    if (reply.includes(-1)) this.#failure = `${FOREIGN}: first clicks are not known`;
    let at = 0;
    for (const message of messages) {
      let first = reply[at++] === 0;
      for (const { text, count } of message.links.values()) {
        const rawClicks = reply[at++] === count ? 1 : 0;
        this.#tallyClicks(message, text, count, rawClicks, first ? 1 : 0);
        first = false;
      }
    }
    return true;
  }

  #putBack(messages: readonly ClickedMessage[]): void {
    for (const { links, ...click } of messages) {
      for (const [digest, clicked] of links) this.#gather(click, digest, clicked);
    }
    this.#schedule();
  }

  #tallyClicks(
    { day, campaign = '', pathway = '' }: ClickFacts,
    link: string,
    clicks: number,
    rawClicks = 0,
    uniqueClicks = 0,
  ): void {
    this.#tally.clicked(
      { day, campaign, by: 'pathway', key: pathway },
      clicks,
      rawClicks,
      uniqueClicks,
    );
    this.#tally.clicked({ day, campaign, by: 'link', key: link }, clicks, rawClicks, uniqueClicks);
  }

  #add(key: string, field: string, by: number): void {
    let fields = this.#counts.get(key);
    if (fields === undefined) {
      fields = new Map();
      this.#counts.set(key, fields);
    }
    const name = fields.has(field) || fields.size < MAX_FIELDS ? field : otherField(field);
    fields.set(name, (fields.get(name) ?? 0) + by);
  }

  async #write(key: string, fields: ReadonlyMap<string, number>): Promise<void> {
    const entries = [...fields];
    for (let start = 0; start < entries.length; start += CHUNK) {
      try {
        await this.#increase(key, entries.slice(start, start + CHUNK));
      } catch (error) {
        this.#failure = (error as Error).message;
        for (const [field, by] of entries.slice(start)) this.#add(key, field, by);
        this.#schedule();
        return;
      }
    }
  }

  async #increase(key: string, increases: readonly Increase[]): Promise<void> {
    const full = await this.#increaseUpTo(MAX_FIELDS, key, increases);
    if (full.length > 0) {
      const others = full.map(([field, by]): Increase => [otherField(field), by]);
      await this.#increaseUpTo(Number.MAX_SAFE_INTEGER, key, others);
    }
  }

  /** @returns those for which there is no room */
  async #increaseUpTo(
    most: number,
    key: string,
    increases: readonly Increase[],
  ): Promise<readonly Increase[]> {
    const args = increases.flat();
    const [foreign = 0, ...full] = (await this.#connection.run((client) =>
      client.eval(INCREASE, 1, key, KEEP_COUNTS, most, ...args),
    )) as number[];
    if (foreign > 0) this.#failure = `${FOREIGN} in ${key}: not counted there`;
    return full.flatMap((at) => increases.slice(at, at + 1));
  }

  #schedule(): void {
    this.#timer ??= setTimeout(
      () => inBackground('write the counters', () => this.flush()),
      FLUSH_MS,
    ).unref();
  }
}

/** The messages from `start` on whose links fit into one command, and at least one. */
function portionOf(messages: readonly ClickedMessage[], start: number): ClickedMessage[] {
  let links = 0;
  let end = start;
  for (const message of messages.slice(start, start + CHUNK)) {
    links += message.links.size;
    if (end > start && links > CHUNK) break;
    end++;
  }
  return messages.slice(start, end);
}
