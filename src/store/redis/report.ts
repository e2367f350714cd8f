import { countOf, type ReportSum } from '../counting.ts';
import type { ReportQuery } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { linkDigest, parseField } from './count-fields.ts';

/** As long as counts are kept. */
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;
/** Fields read in one command. */
const PORTION = 500;

/**
 * Reports what RedisCounters counted. Raw and unique clicks belong to the day of the first click.
 */
export class RedisReport {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async addTo(sum: ReportSum): Promise<void> {
    const { keys } = this.#connection;
    for (const day of daysOf(sum.query)) {
      const key = sum.query.by === 'link' ? keys.linkCounts(day) : keys.counts(day);
      for await (const [text, value] of this.#fields(key)) {
        const field = parseField(text);
        const count = countOf(value);
        if (field === undefined || count === undefined) sum.unreadable++;
        else if (sum.includes(field.campaign)) {
          sum.add(day, field.campaign, field.key, { [field.metric]: count });
        }
      }
    }
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

  async clicksOf(messageId: string, link: string): Promise<number> {
    const key = this.#connection.keys.clicked(messageId);
    const clicks = await this.#connection.run((client) => client.hget(key, linkDigest(link)));
    return countOf(clicks) ?? 0;
  }
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
