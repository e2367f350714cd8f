import type { SentCounter } from '../link/click.ts';
import type { ClickCounter, CountedClick } from '../link/counters.ts';
import type { RedisConnection } from './connection.ts';
import { formatField, linkDigest, type Metric, otherField } from './count-fields.ts';
import type { Keys } from './keys.ts';

const FLUSH_MS = 1_000;
/** Commands sent at a time. */
const CHUNK = 500;
/** Different fields a day and hash; what comes after them is counted as "(other)". */
const MAX_FIELDS = 20_000;
/** Clicks that wait while Redis is away; later ones are still counted, but no longer as the first of their link. */
const MAX_WAITING = 20_000;
const DAY_SECONDS = 86_400;
const KEEP_COUNTS = 400 * DAY_SECONDS;
/** A link followed again after this long a silence counts as followed for the first time. */
const KEEP_CLICKED = 90 * DAY_SECONDS;
/**
 * One command a message instead of three and one a link; and of two nodes that see the first clicks on a message at
 * the same moment, one is told that it was the first.
 * KEYS: the message's hash; ARGV: seconds to keep it, then links and how often each was followed.
 */
const MARK = `
local followedBefore = redis.call('HLEN', KEYS[1])
local totals = {}
for i = 2, #ARGV, 2 do
  totals[i / 2] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {followedBefore, totals}`;

/**
 * Counts for reports. Nobody waits for them: they are gathered for a second and written together; while
 * Redis is away they are kept, added up. A crash loses at most that second's; a batch whose answer was lost may be
 * counted twice.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  /** What is to be added: key, field, number. */
  #counts = new Map<string, Map<string, number>>();
  /** By message and link. */
  #clicks = new Map<string, CountedClick>();
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  sent({ day, campaign = '', pathway = '', links }: Parameters<SentCounter['sent']>[0]): void {
    const key = this.#keys.counts(day);
    this.#add(key, formatField({ metric: 'messages', campaign, key: pathway }), 1);
    this.#add(key, formatField({ metric: 'links', campaign, key: pathway }), links);
    this.#schedule();
  }

  clicked(click: CountedClick): void {
    const id = `${click.day} ${click.messageId} ${click.link}`;
    const waiting = this.#clicks.get(id);
    if (waiting !== undefined || this.#clicks.size < MAX_WAITING) {
      this.#clicks.set(id, { ...click, count: click.count + (waiting?.count ?? 0) });
    } else {
      this.#count(click, 'clicks', click.count);
    }
    this.#schedule();
  }

  /** Writes what has been gathered; what cannot be written now stays for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const messages = [...byMessage(this.#clicks.values())];
    this.#clicks = new Map();
    for (let start = 0; start < messages.length; start += CHUNK) {
      const chunk = messages.slice(start, start + CHUNK);
      await Promise.all(chunk.map(([messageId, clicks]) => this.#mark(messageId, clicks)));
    }
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [key, fields] of counts) await this.#write(key, fields);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Notes in the message's own hash that links were followed; only that tells whether it is the first time. */
  async #mark(messageId: string, clicks: readonly CountedClick[]): Promise<void> {
    const key = this.#keys.clicked(messageId);
    try {
      const marks = clicks.flatMap(({ link, count }) => [linkDigest(link), count]);
      const reply = await this.#connection.run((c) => c.eval(MARK, 1, key, KEEP_CLICKED, ...marks));
      const [followedBefore, totals] = reply as [number, number[]];
      for (const [at, click] of clicks.entries()) {
        this.#count(click, 'clicks', click.count);
        if (totals[at] === click.count) this.#count(click, 'rawClicks', 1);
        if (followedBefore === 0 && at === 0) this.#count(click, 'uniqueClicks', 1);
      }
    } catch {
      for (const click of clicks) this.clicked(click);
    }
  }

  #count({ day, campaign = '', pathway = '', link }: CountedClick, metric: Metric, by: number) {
    this.#add(this.#keys.counts(day), formatField({ metric, campaign, key: pathway }), by);
    this.#add(this.#keys.linkCounts(day), formatField({ metric, campaign, key: link }), by);
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
      } catch {
        for (const [field, by] of entries.slice(start)) this.#add(key, field, by);
        this.#schedule();
        return;
      }
    }
  }

  async #increase(key: string, counts: readonly (readonly [string, number])[]): Promise<void> {
    const full = await this.#fullFor(
      key,
      counts.map(([field]) => field),
    );
    await this.#connection.run((client) =>
      Promise.all([
        ...counts.map(([field, by], i) =>
          client.hincrby(key, full[i] ? otherField(field) : field, by),
        ),
        client.expire(key, KEEP_COUNTS),
      ]),
    );
  }

  /** For each field, whether there is no room for it: the hash is full, and it is not in it yet. */
  async #fullFor(key: string, fields: readonly string[]): Promise<readonly boolean[]> {
    const size = await this.#connection.run((client) => client.hlen(key));
    if (size + fields.length <= MAX_FIELDS) return [];
    const present = await this.#connection.run((client) => client.hmget(key, ...fields));
    return present.map((value) => value === null);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }
}

function byMessage(clicks: Iterable<CountedClick>): Map<string, CountedClick[]> {
  const messages = new Map<string, CountedClick[]>();
  for (const click of clicks) {
    const others = messages.get(click.messageId);
    if (others) others.push(click);
    else messages.set(click.messageId, [click]);
  }
  return messages;
}
