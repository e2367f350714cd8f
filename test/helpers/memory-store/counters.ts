import { noNumbers } from '../../../src/store/counting.ts';
import { ReportSum } from '../../../src/store/report-sum.ts';
import {
  type ClickClass,
  type CountedClick,
  type Counters,
  REPORT_SCOPES,
  type Report,
  type ReportBy,
  type ReportQuery,
  type ReportRow,
  type SentAt,
  type SentMessage,
} from '../../../src/store/store.ts';

type Sums = Omit<Required<ReportRow>, 'key'>;
/** What was counted, and the key of its row in each report. */
interface Count {
  readonly keys: Readonly<Record<ReportBy, readonly string[]>>;
  readonly sums: Partial<Sums>;
}

const NONE: Sums = noNumbers();

/** Counts in memory: a list of everything, which each report goes through. */
export class MemoryCounters implements Counters {
  readonly #counts: Count[] = [];
  readonly #seen = new Set<string>();
  readonly #clicks = new Map<string, number>();

  sent({ links, ...message }: SentMessage): void {
    const keys = { ...keysOf(message), part: [], link: [], position: [] };
    this.#counts.push({ keys, sums: { messages: 1, links } });
  }

  book(click: CountedClick, by: ClickClass): void {
    const { messageId, part, link, position = '-', count } = click;
    const once = (isOf: boolean, key: string) => Number(isOf && this.#isFirst(key));
    const isPerson = by === 'people';
    this.#counts.push({
      keys: {
        ...keysOf(click),
        part: [part],
        link: [link],
        position: [`${part} ${position} ${link}`],
      },
      sums: {
        clicks: count,
        rawClicks: once(true, `${messageId} ${link}`),
        uniqueClicks: once(true, messageId),
        ...(isPerson ? { peopleClicks: count } : { automaticClicks: count }),
        peopleRawClicks: once(isPerson, `people ${messageId} ${link}`),
        peopleUniqueClicks: once(isPerson, `people ${messageId}`),
      },
    });
    const key = `${messageId} ${link}`;
    this.#clicks.set(key, (this.#clicks.get(key) ?? 0) + count);
  }

  #isFirst(key: string): boolean {
    return this.#seen.size < this.#seen.add(key).size;
  }

  async flush() {}

  async report(query: ReportQuery): Promise<Report> {
    const { by, since = '', until = '9999' } = new ReportSum(query).query;
    const counts = this.#counts.filter(
      ({ keys }) =>
        (keys.day[0] ?? '') >= since &&
        (keys.day[0] ?? '') <= until &&
        REPORT_SCOPES.every((one) => keys[one].includes(query[one] ?? keys[one][0] ?? '')),
    );
    const only = REPORT_SCOPES.find((one) => one === by && query[one] !== undefined);
    const all = new Set(counts.flatMap((one) => one.keys[by]));
    const keys = [...all].filter((key) => !only || key === query[only]).sort();
    const isOfLinks = by === 'link' || by === 'position';
    return {
      rows: keys.map((key) => {
        const row = rowOf(
          key,
          counts.filter((one) => one.keys[by].includes(key)),
          by,
        );
        if (!isOfLinks) return row;
        return { ...row, uniqueClicks: row.rawClicks, peopleUniqueClicks: row.peopleRawClicks };
      }),
      total: rowOf('', counts, by),
      unreadable: 0,
    };
  }

  async clicksOf({ messageId }: SentAt, links: readonly string[]) {
    return links.map((link) => this.#clicks.get(`${messageId} ${link}`) ?? 0);
  }
}

function keysOf({
  time,
  campaign = '',
  pathway = '',
  tags = [''],
  recipientDomain = '',
}: Omit<SentMessage, 'links'>) {
  const text = new Date(time).toISOString();
  return {
    day: [text.slice(0, 10)],
    hour: [text.slice(0, 13)],
    campaign: [campaign],
    pathway: [pathway],
    tag: tags,
    domain: [recipientDomain],
  };
}

function rowOf(key: string, counts: readonly Count[], by: ReportBy): ReportRow {
  const sum = { ...NONE };
  for (const { sums } of counts) {
    for (const name of Object.keys(NONE) as (keyof Sums)[]) sum[name] += sums[name] ?? 0;
  }
  const { messages, links, ...clicks } = sum;
  const isOfClicks = by === 'link' || by === 'position' || by === 'part';
  return isOfClicks ? { key, ...clicks } : { key, messages, links, ...clicks };
}
