import type { CountersReader, ReportQuery, ReportRow } from '../link/counters.ts';
import type { RedisConnection } from './connection.ts';
import { type CountField, linkDigest, type Metric, parseField } from './count-fields.ts';
import type { Keys } from './keys.ts';

/** As long as counts are kept. */
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;

type Counts = Partial<Record<Metric, number>>;

/** Reports from what RedisCounters wrote. Raw and unique clicks belong to the day of the first click. */
export class RedisReport implements CountersReader {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** @throws StoreUnavailable */
  async report(query: ReportQuery): Promise<{ rows: readonly ReportRow[]; total: ReportRow }> {
    const { by, campaign } = query;
    const groups = new Map<string, Counts>();
    const total: Counts = {};
    for (const day of daysOf(query)) {
      const key = by === 'link' ? this.#keys.linkCounts(day) : this.#keys.counts(day);
      const fields = await this.#connection.run((client) => client.hgetall(key));
      for (const [text, value] of Object.entries(fields)) {
        const field = parseField(text);
        if (campaign !== undefined && field.campaign !== campaign) continue;
        const name = groupOf(by, field, day);
        const group = groups.get(name) ?? {};
        groups.set(name, group);
        for (const counts of [group, total]) {
          counts[field.metric] = (counts[field.metric] ?? 0) + Number(value);
        }
      }
    }
    const rows = [...groups].map(([key, counts]) =>
      // Of one link, the messages in which it was followed are those whose first click on it was counted.
      rowOf(key, by === 'link' ? { ...counts, uniqueClicks: counts.rawClicks ?? 0 } : counts, by),
    );
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { rows, total: rowOf('', total, by) };
  }

  /**
   * How often a link of a message was followed.
   * @param link its name, else its target, as it was counted
   * @throws StoreUnavailable
   */
  async clicksOf(messageId: string, link: string): Promise<number> {
    const key = this.#keys.clicked(messageId);
    const clicks = await this.#connection.run((client) => client.hget(key, linkDigest(link)));
    return Number(clicks ?? 0);
  }
}

function groupOf(by: ReportQuery['by'], { campaign, key }: CountField, day: string): string {
  if (by === 'day') return day;
  return by === 'campaign' ? campaign : key;
}

/** By link there is nothing to say about messages: each of them has many. */
function rowOf(key: string, counts: Counts, by: ReportQuery['by']): ReportRow {
  return {
    key,
    ...(by !== 'link' && { messages: counts.messages ?? 0, links: counts.links ?? 0 }),
    clicks: counts.clicks ?? 0,
    rawClicks: counts.rawClicks ?? 0,
    uniqueClicks: counts.uniqueClicks ?? 0,
  };
}

function daysOf({ since, until }: ReportQuery): string[] {
  const last = until === undefined ? Date.now() : Date.parse(until);
  const oldest = last - (MAX_DAYS - 1) * DAY_MS;
  const first = Math.max(since === undefined ? oldest : Date.parse(since), oldest);
  const days: string[] = [];
  for (let day = first; day <= last; day += DAY_MS)
    days.push(new Date(day).toISOString().slice(0, 10));
  return days;
}
