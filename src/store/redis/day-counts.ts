import { setImmediate as nextTurn } from 'node:timers/promises';
import { getOrMake } from '../../lib/values.ts';
import { METRICS, type Numbers, noNumbers } from '../counting.ts';
import type { CountedClick, SentMessage } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { type CountField, FOREIGN, formatField, IS_FOREIGN, otherField } from './count-fields.ts';

/** Fields in one command: Redis does nothing else meanwhile. */
const CHUNK = 200;
/** Different fields per day and hash; the others are counted as "(other)". */
const MAX_FIELDS = 20_000;
const KEEP_SECONDS = 400 * 86_400;
/**
 * KEYS: a day's hash; ARGV: seconds to keep it, the most fields it may have, then fields and what
 * is added to them. Returns how many could not be added because of a foreign value, and then the
 * positions of fields that had no room: the hash is full, and they are not in it yet.
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

/** By campaign, then by pathway or link. */
type Campaigns = Map<string, Map<string, Numbers>>;
/** What is added to the fields of one hash. */
type Increases = Map<string, number>;
type Increase = readonly [field: string, by: number];

/**
 * Adds up the numbers of each day, by campaign and pathway and by campaign and link, and writes
 * them to a hash each. The fields are formatted late, because many messages and clicks share few of
 * them.
 */
export class DayCounts {
  readonly #connection: RedisConnection;
  /** By key of the hash. */
  #numbers = new Map<string, Campaigns>();
  #increases = new Map<string, Increases>();

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  get isEmpty(): boolean {
    return this.#numbers.size === 0 && this.#increases.size === 0;
  }

  sent({ day, campaign = '', pathway = '', links }: SentMessage): void {
    const numbers = this.#at(this.#connection.keys.counts(day), campaign, pathway);
    numbers.messages++;
    numbers.links += links;
  }

  clicked(
    { day, campaign = '', pathway = '' }: Omit<CountedClick, 'link' | 'count'>,
    link: string,
    clicks: number,
    rawClicks = 0,
    uniqueClicks = 0,
  ): void {
    for (const numbers of [
      this.#at(this.#connection.keys.counts(day), campaign, pathway),
      this.#at(this.#connection.keys.linkCounts(day), campaign, link),
    ]) {
      numbers.clicks += clicks;
      numbers.rawClicks += rawClicks;
      numbers.uniqueClicks += uniqueClicks;
    }
  }

  #at(hash: string, campaign: string, key: string): Numbers {
    const campaigns = getOrMake(this.#numbers, hash, newMap<string, Map<string, Numbers>>);
    return getOrMake(getOrMake(campaigns, campaign, newMap<string, Numbers>), key, noNumbers);
  }

  /**
   * Formats the fields of everything that was added up. While Redis is away, this bounds their
   * number.
   */
  async format(): Promise<void> {
    const numbers = this.#numbers;
    this.#numbers = new Map();
    let formatted = 0;
    for (const [hash, field, count] of fieldsOf(numbers)) {
      this.#increase(hash, formatField(field), count);
      if (++formatted % CHUNK === 0) await nextTurn();
    }
  }

  #increase(hash: string, field: string, by: number): void {
    const fields = getOrMake(this.#increases, hash, newMap<string, number>);
    const name = fields.has(field) || fields.size < MAX_FIELDS ? field : otherField(field);
    fields.set(name, (fields.get(name) ?? 0) + by);
  }

  /** @returns the last problem; numbers that cannot be written now wait on */
  async write(): Promise<string | undefined> {
    await this.format();
    const increases = this.#increases;
    this.#increases = new Map();
    let problem: string | undefined;
    for (const [hash, fields] of increases) {
      const entries = [...fields];
      for (let start = 0; start < entries.length; start += CHUNK) {
        try {
          const foreign = await this.#send(hash, entries.slice(start, start + CHUNK));
          if (foreign > 0) problem = `${FOREIGN} in ${hash}: not counted there`;
        } catch (error) {
          problem = (error as Error).message;
          for (const [field, by] of entries.slice(start)) this.#increase(hash, field, by);
          break;
        }
      }
    }
    return problem;
  }

  /** @returns how many fields have a foreign value */
  async #send(hash: string, increases: readonly Increase[]): Promise<number> {
    const [foreign, full] = await this.#sendUpTo(MAX_FIELDS, hash, increases);
    if (full.length === 0) return foreign;
    const others = full.map(([field, by]): Increase => [otherField(field), by]);
    return foreign + (await this.#sendUpTo(Number.MAX_SAFE_INTEGER, hash, others))[0];
  }

  async #sendUpTo(
    most: number,
    hash: string,
    increases: readonly Increase[],
  ): Promise<[foreign: number, withoutRoom: readonly Increase[]]> {
    const [foreign = 0, ...full] = (await this.#connection.run((client) =>
      client.eval(INCREASE, 1, hash, KEEP_SECONDS, most, ...increases.flat()),
    )) as number[];
    return [foreign, full.flatMap((at) => increases.slice(at, at + 1))];
  }
}

/** Every number that is not 0. */
function* fieldsOf(
  hashes: ReadonlyMap<string, Campaigns>,
): Generator<[hash: string, field: CountField, count: number]> {
  for (const [hash, campaigns] of hashes) {
    for (const [campaign, keys] of campaigns) {
      for (const [key, numbers] of keys) {
        for (const metric of METRICS) {
          if (numbers[metric] > 0) yield [hash, { metric, campaign, key }, numbers[metric]];
        }
      }
    }
  }
}

function newMap<K, V>(): Map<K, V> {
  return new Map();
}
