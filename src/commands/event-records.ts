import type { Configuration } from '../config/configuration.ts';
import type { CountersReader, Report, ReportQuery, ReportRow } from '../store/counters.ts';
import type { StoredEvent, StreamReader } from '../store/events.ts';
import { JournalReader } from '../store/local/journal-reader.ts';
import { FileReport } from '../store/local/report.ts';
import { UnreadableFiles } from '../store/local/unreadable-files.ts';
import { createRedisStore } from '../store/redis/store.ts';

/** Reports, and how often a link of a message was followed; `link` is its name, else its target. */
interface Reports extends CountersReader {
  clicksOf(messageId: string, link: string): Promise<number>;
}

/** What the service has recorded: in files, and with Redis there as well. */
export interface EventRecords {
  readonly reports: Reports;
  openReader(from: 'oldest' | 'newest'): StreamReader;
  close(): Promise<void>;
}

/** Touches nothing yet. */
export function openEventRecords({ linkStore, redis, events }: Configuration): EventRecords {
  const folder = events.journal;
  const tell = (problem: string) => process.stderr.write(`clickmilter: ${problem}\n`);
  const unreadable = new UnreadableFiles(tell);
  const files = new FileReport(folder, tell);
  if (linkStore === 'sealed') {
    return {
      reports: files,
      openReader: (from) =>
        new JournalReader({ folder, kinds: ['events', 'pending'], from, unreadable }),
      close: async () => {},
    };
  }
  const store = createRedisStore({ ...redis, stream: events });
  return {
    reports: new BothReports(store.reports, files),
    openReader: (from) =>
      from === 'newest'
        ? store.openReader('$')
        : new OneAfterTheOther(
            // Of the time before Redis. What is pending will be in Redis.
            new JournalReader({ folder, kinds: ['events'], unreadable }),
            store.openReader('0'),
          ),
    close: () => store.close(),
  };
}

/** Reads what there is in the first, and then the second. */
class OneAfterTheOther implements StreamReader {
  readonly #first: StreamReader;
  readonly #second: StreamReader;
  #firstIsRead = false;

  constructor(first: StreamReader, second: StreamReader) {
    this.#first = first;
    this.#second = second;
  }

  async next(max: number, waitMs: number, maxBytes?: number): Promise<readonly StoredEvent[]> {
    if (!this.#firstIsRead) {
      const events = await this.#first.next(max, 0, maxBytes);
      if (events.length > 0) return events;
      this.#firstIsRead = true;
    }
    return this.#second.next(max, waitMs, maxBytes);
  }

  get skipped(): number {
    return this.#first.skipped + this.#second.skipped;
  }

  async close(): Promise<void> {
    await this.#first.close();
    await this.#second.close();
  }
}

/** Adds up two reports; a link that was followed in the time of either is a first click in both. */
class BothReports implements Reports {
  readonly #one: Reports;
  readonly #other: Reports;

  constructor(one: Reports, other: Reports) {
    this.#one = one;
    this.#other = other;
  }

  async report(query: ReportQuery): Promise<Report> {
    const one = await this.#one.report(query);
    const other = await this.#other.report(query);
    const rows = new Map<string, ReportRow>();
    for (const row of [...one.rows, ...other.rows]) {
      const before = rows.get(row.key);
      rows.set(row.key, before === undefined ? row : sum(before, row));
    }
    return {
      rows: [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
      total: sum(one.total, other.total),
      unreadable: one.unreadable + other.unreadable,
    };
  }

  async clicksOf(messageId: string, link: string): Promise<number> {
    const [one, other] = [this.#one, this.#other];
    return (await one.clicksOf(messageId, link)) + (await other.clicksOf(messageId, link));
  }
}

function sum(one: ReportRow, other: ReportRow): ReportRow {
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
