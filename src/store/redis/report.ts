import { countOf, MAX_ROWS, OTHER_KEY } from '../counting.ts';
import type { CountersReader, Report, ReportQuery, ReportRow } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { type CountField, linkDigest, type Metric, parseField } from './count-fields.ts';

/** As long as counts are kept. */
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;
/** Fields read in one command. */
const PORTION = 500;

type Counts = Partial<Record<Metric, number>>;

/** Reports what RedisCounters counted. Raw and unique clicks belong to the day of the first click. */
export class RedisReport implements CountersReader {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** @throws StoreUnavailable */
  async report(query: ReportQuery): Promise<Report> {
    const { by, campaign } = query;
    const groups = new Map<string, Counts>();
    const total: Counts = {};
    let unreadable = 0;
    for (const day of daysOf(query)) {
      const key =
        by === 'link' ? this.#connection.keys.linkCounts(day) : this.#connection.keys.counts(day);
      for await (const [text, value] of this.#fields(key)) {
        const field = parseField(text);
        const count = countOf(value);
        if (field === undefined || count === undefined) {
          unreadable++;
          continue;
        }
        if (campaign !== undefined && field.campaign !== campaign) continue;
        const name = groupOf(by, field, day);
        const group = groups.has(name) || groups.size < MAX_ROWS ? name : OTHER_KEY;
        const counts = groups.get(group) ?? {};
        groups.set(group, counts);
        for (const added of [counts, total]) {
          added[field.metric] = (added[field.metric] ?? 0) + count;
        }
      }
    }
    const rows = [...groups].map(([key, counts]) =>
      // For one link, unique clicks are the messages whose first click on it was counted.
      rowOf(key, by === 'link' ? { ...counts, uniqueClicks: counts.rawClicks ?? 0 } : counts, by),
    );
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { rows, total: rowOf('', total, by), unreadable };
  }

  /** Reads the fields of a hash with their values, a portion at a time. */
  async *#fields(key: string): AsyncGenerator<readonly [field: string, value: string]> {
    let cursor = '0';
    do {
      const from = cursor;
      const [next, page] = await this.#connection.run((client) =>
        client.hscan(key, from, 'COUNT', PORTION),
      );
      for (let i = 0; i + 1 < page.length; i += 2) yield [page[i] ?? '', page[i + 1] ?? ''];
      cursor = next;
    } while (cursor !== '0');
  }

  /** @throws StoreUnavailable */
  async clicksOf(messageId: string, link: string): Promise<number> {
    const key = this.#connection.keys.clicked(messageId);
    const clicks = await this.#connection.run((client) => client.hget(key, linkDigest(link)));
    return countOf(clicks) ?? 0;
  }
}

function groupOf(by: ReportQuery['by'], { campaign, key }: CountField, day: string): string {
  if (by === 'day') return day;
  return by === 'campaign' ? campaign : key;
}

/** A report by link says nothing about messages: each of them has many links. */
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

/** Adds up reports of two stores that counted one after the other; a link clicked in both times has a first click in each. */
export async function sumOfReports(
  query: ReportQuery,
  one: CountersReader,
  other: CountersReader,
): Promise<Report> {
  const [first, second] = [await one.report(query), await other.report(query)];
  const rows = new Map<string, ReportRow>();
  for (const row of [...first.rows, ...second.rows]) {
    const before = rows.get(row.key);
    rows.set(row.key, before === undefined ? row : sumOfRows(before, row));
  }
  return {
    rows: [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    total: sumOfRows(first.total, second.total),
    unreadable: first.unreadable + second.unreadable,
  };
}

function sumOfRows(one: ReportRow, other: ReportRow): ReportRow {
  const { messages, links } = one;
  return {
    key: one.key,
    ...(messages !== undefined && { messages: messages + (other.messages ?? 0) }),
    ...(links !== undefined && { links: links + (other.links ?? 0) }),
    clicks: one.clicks + other.clicks,
    rawClicks: one.rawClicks + other.rawClicks,
    uniqueClicks: one.uniqueClicks + other.uniqueClicks,
  };
}
