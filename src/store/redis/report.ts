import { countOf, type Numbers } from '../counting.ts';
import type { ReportSum } from '../report-sum.ts';
import type { Table } from '../tallies.ts';
import type { RedisConnection } from './connection.ts';
import { parseField } from './count-fields.ts';
import { shortDigest } from './keys.ts';
import { parseNumbers } from './stored-tallies.ts';

/** Fields read in one command. */
const PORTION = 500;
/** Days that are read at a time. */
const DAYS = 50;

/** Reports what RedisCounters counted, in this release and in earlier ones. */
export class RedisReport {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async addTo(sum: ReportSum): Promise<void> {
    const { days } = sum;
    for (let start = 0; start < days.length; start += DAYS) {
      const some = days.slice(start, start + DAYS);
      await Promise.all(
        some.flatMap((day) => [this.#addTables(sum, day), this.#addOldCounts(sum, day)]),
      );
    }
  }

  async #addTables(sum: ReportSum, day: string): Promise<void> {
    const { rows, total } = sum.tablesOf(day);
    await Promise.all([
      this.#addTable(sum, rows, (key, numbers) => sum.addRow(rows, key, numbers)),
      total && this.#addTable(sum, total, (_, numbers) => sum.addToTotal(numbers)),
    ]);
  }

  async #addTable(
    sum: ReportSum,
    table: Table,
    add: (key: string, numbers: Numbers) => void,
  ): Promise<void> {
    for await (const [key, value] of this.#fields(this.#connection.keys.table(table))) {
      const numbers = parseNumbers(value);
      if (numbers === undefined) sum.unreadable++;
      else add(key, numbers);
    }
  }

  async #addOldCounts(sum: ReportSum, day: string): Promise<void> {
    const { keys } = this.#connection;
    const key = sum.query.by === 'link' ? keys.linkCounts(day) : keys.counts(day);
    for await (const [text, value] of this.#fields(key)) {
      const field = parseField(text);
      const count = countOf(value);
      if (field === undefined || count === undefined) sum.unreadable++;
      else sum.addOldCount(day, field.campaign, field.key, { [field.metric]: count });
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
    const clicks = await this.#connection.run((client) => client.hget(key, shortDigest(link)));
    return countOf(clicks) ?? 0;
  }
}
