import type {
  CountedClick,
  Counters,
  Report,
  ReportQuery,
  ReportRow,
  SentMessage,
} from '../../../src/store/store.ts';

interface Count {
  readonly day: string;
  readonly campaign: string;
  readonly pathway: string;
  readonly link?: string;
  readonly numbers: Omit<Required<ReportRow>, 'key'>;
}

const NONE = { messages: 0, links: 0, clicks: 0, rawClicks: 0, uniqueClicks: 0 };

/** Counts in memory. */
export class MemoryCounters implements Counters {
  readonly #counts: Count[] = [];
  /** Clicks by message and link, and by message. */
  readonly #clicks = new Map<string, number>();

  sent({ day, campaign = '', pathway = '', links }: SentMessage): void {
    this.#counts.push({ day, campaign, pathway, numbers: { ...NONE, messages: 1, links } });
  }

  clicked({ day, campaign = '', pathway = '', link, messageId, count }: CountedClick): void {
    const rawClicks = this.#add(`${messageId} ${link}`, count);
    const uniqueClicks = this.#add(messageId, count);
    const numbers = { ...NONE, clicks: count, rawClicks, uniqueClicks };
    this.#counts.push({ day, campaign, pathway, link, numbers });
  }

  /** @returns 1 for the first click */
  #add(key: string, count: number): number {
    const before = this.#clicks.get(key) ?? 0;
    this.#clicks.set(key, before + count);
    return before === 0 ? 1 : 0;
  }

  async flush() {}

  async report({ by, since = '', until = '9999', campaign }: ReportQuery): Promise<Report> {
    const counts = this.#counts.filter(
      (one) =>
        one.day >= since &&
        one.day <= until &&
        (campaign === undefined || one.campaign === campaign) &&
        (by !== 'link' || one.link !== undefined),
    );
    const keys = [...new Set(counts.map((one) => one[by] ?? ''))].sort();
    const rows = keys.map((key) =>
      rowOf(
        key,
        counts.filter((one) => one[by] === key),
        by,
      ),
    );
    return {
      rows: rows.map((row) => (by === 'link' ? { ...row, uniqueClicks: row.rawClicks } : row)),
      total: rowOf('', counts, by),
      unreadable: 0,
    };
  }

  async clicksOf(messageId: string, link: string) {
    return this.#clicks.get(`${messageId} ${link}`) ?? 0;
  }
}

function rowOf(key: string, counts: readonly Count[], by: ReportQuery['by']): ReportRow {
  const sum = { ...NONE };
  for (const { numbers } of counts) {
    for (const name of ['messages', 'links', 'clicks', 'rawClicks', 'uniqueClicks'] as const) {
      sum[name] += numbers[name];
    }
  }
  const { messages, links, ...clicks } = sum;
  return by === 'link' ? { key, ...clicks } : { key, messages, links, ...clicks };
}
