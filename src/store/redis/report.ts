import type { SentAt } from '../counters.ts';
import { countOf, parseNumbers } from '../counting.ts';
import type { ReportSum } from '../report-sum.ts';
import type { Table } from '../tallies.ts';
import type { RedisConnection } from './connection.ts';
import { isOfOtherType, LAST_PORTION, parseField } from './count-fields.ts';
import { shortDigest } from './keys.ts';

/** Fields read in one command. */
const PORTION = 500;
/** Days that are read at a time. */
const DAYS = 50;

/** A day on which something was counted. */
interface CountedDay {
  readonly day: string;
  /** Whether another program put something else in the place of the totals. */
  readonly isForeign: boolean;
  /** The rows of its total; none where this release counted nothing. */
  readonly totals: readonly string[];
  /** Whether an earlier release counted on this day. */
  readonly hasOldCounts: boolean;
}

/** Reports what RedisCounters counted, in this release and in earlier ones. */
export class RedisReport {
  readonly #connection: RedisConnection;
  /** Look-ups under way: the reports of one view share them. */
  readonly #lookups = new Map<string, Promise<CountedDay[]>>();

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async addTo(sum: ReportSum): Promise<void> {
    const days = await this.#countedDays(sum);
    for (let start = 0; start < days.length; start += DAYS) {
      const some = days.slice(start, start + DAYS);
      await Promise.all(some.map((counted) => this.#addDay(sum, counted)));
    }
  }

  async #addDay(
    sum: ReportSum,
    { day, totals, hasOldCounts, isForeign }: CountedDay,
  ): Promise<void> {
    if (isForeign) sum.unreadable++;
    for (const value of totals) {
      const numbers = parseNumbers(value);
      if (numbers === undefined) sum.unreadable++;
      else sum.addTotal(day, numbers);
    }
    const table = totals.length > 0 ? sum.tableOf(day) : undefined;
    const orForeign = (error: unknown) => {
      if (!isOfOtherType(error)) throw error;
      sum.unreadable++;
    };
    await Promise.all([
      table && this.#addTable(sum, table).catch(orForeign),
      hasOldCounts && this.#addOldCounts(sum, day).catch(orForeign),
    ]);
  }

  /** The days on which something was counted: a campaign has few of a year. */
  #countedDays(sum: ReportSum): Promise<CountedDay[]> {
    const { days, scope } = sum;
    const about = JSON.stringify([days[0], days.at(-1), scope]);
    const underWay = this.#lookups.get(about);
    if (underWay !== undefined) return underWay;
    const lookup = this.#lookUp(sum, days).finally(() => this.#lookups.delete(about));
    this.#lookups.set(about, lookup);
    return lookup;
  }

  async #lookUp(sum: ReportSum, days: readonly string[]): Promise<CountedDay[]> {
    const { keys } = this.#connection;
    const found = await this.#connection.run((client) =>
      Promise.all(
        days.map(async (day): Promise<CountedDay> => {
          const total = sum.totalOf(day);
          const [values, old] = await Promise.all([
            client.hmget(keys.table(total.table), ...total.keys).catch((error: unknown) => {
              if (!isOfOtherType(error)) throw error;
            }),
            client.exists(keys.counts(day)),
          ]);
          const isForeign = values === undefined;
          const totals = values?.flatMap((value) => value ?? []) ?? [];
          return { day, isForeign, totals, hasOldCounts: old > 0 };
        }),
      ),
    );
    return found.filter(
      ({ totals, hasOldCounts, isForeign }) => totals.length > 0 || hasOldCounts || isForeign,
    );
  }

  async #addTable(sum: ReportSum, table: Table): Promise<void> {
    for await (const fields of this.#portions(this.#connection.keys.table(table))) {
      for (const [key, value] of fields) {
        if (key === LAST_PORTION) continue;
        const numbers = parseNumbers(value);
        if (numbers === undefined) sum.unreadable++;
        else sum.addRow(key, numbers);
      }
    }
  }

  async #addOldCounts(sum: ReportSum, day: string): Promise<void> {
    const { keys } = this.#connection;
    const key = sum.query.by === 'link' ? keys.linkCounts(day) : keys.counts(day);
    for await (const fields of this.#portions(key)) {
      for (const [text, value] of fields) {
        const field = parseField(text);
        const count = countOf(value);
        if (field === undefined || count === undefined) sum.unreadable++;
        else sum.addOldCount(day, field.campaign, field.key, { [field.metric]: count });
      }
    }
  }

  /** Reads the fields of a hash with their values, a portion at a time. */
  async *#portions(key: string): AsyncGenerator<readonly (readonly [string, string])[]> {
    let cursor = '0';
    do {
      const from = cursor;
      const [next, page] = await this.#connection.run((client) =>
        client.hscan(key, from, 'COUNT', PORTION),
      );
      const fields: [string, string][] = [];
      for (let i = 0; i + 1 < page.length; i += 2) fields.push([page[i] ?? '', page[i + 1] ?? '']);
      yield fields;
      cursor = next;
    } while (cursor !== '0');
  }

  async clicksOf({ messageId }: SentAt, links: readonly string[]): Promise<readonly number[]> {
    if (links.length === 0) return [];
    const key = this.#connection.keys.clicked(messageId);
    const counts = await this.#connection.run((client) =>
      client.hmget(key, ...links.map(shortDigest)),
    );
    return counts.map((clicks) => countOf(clicks) ?? 0);
  }
}
