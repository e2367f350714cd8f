import type {
  ClickClass,
  CountedClick,
  Counters,
  Report,
  ReportBy,
  ReportQuery,
  ReportRow,
  SentAt,
  SentMessage,
} from '../../../src/store/counters.ts';
import { countedKeys, countedText, noNumbers } from '../../../src/store/counting.ts';
import { ReportSum } from '../../../src/store/report-sum.ts';
import { settle } from '../settle.ts';

type Sums = Omit<Required<ReportRow>, 'key'>;
/** What was counted, and the key of its row in each report. */
interface Count {
  readonly keys: Readonly<Record<ReportBy, readonly string[]>>;
  readonly sums: Partial<Sums>;
}

const NONE: Sums = noNumbers();

/** Counts in memory: a list of everything, which each report goes through. Reports count what was booked. */
export class MemoryCounters implements Counters {
  readonly #counts: Count[] = [];
  readonly #booked: [CountedClick, ClickClass][] = [];
  #portions = 0;
  /** The last portion that was counted. */
  #counted = -1;
  readonly #seen = new Set<string>();
  readonly #clicks = new Map<string, number>();

  sent({ links, ...message }: SentMessage): void {
    const keys = { ...keysOf(message), part: [], link: [], position: [] };
    this.#counts.push({ keys, sums: { messages: 1, links } });
  }

  book(click: CountedClick, by: ClickClass): void {
    this.#booked.push([click, by]);
  }

  async portion() {
    const booked = this.#booked.splice(0);
    return booked.length > 0 ? JSON.stringify([this.#portions++, booked]) : '';
  }

  async count(text: string) {
    const [portion, booked] = JSON.parse(text) as [number, [CountedClick, ClickClass][]];
    if (portion <= this.#counted) return;
    this.#counted = portion;
    for (const [click, by] of booked) this.#add(click, by);
  }

  #add(click: CountedClick, by: ClickClass): void {
    const { messageId, part, link, position = '-', count } = click;
    const once = (isOf: boolean, key: string) => Number(isOf && this.#isFirst(key));
    const isPerson = by === 'people';
    this.#counts.push({
      keys: {
        ...keysOf(click),
        part: [part],
        link: [countedText(link)],
        position: [`${part} ${position} ${countedText(link)}`],
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

  async sumUp() {}

  async report(query: ReportQuery): Promise<Report> {
    await settle(this);
    const { by, since = '', until = '9999' } = query;
    const { scope } = new ReportSum(query);
    const counts = this.#counts.filter(
      ({ keys }) =>
        (keys.day[0] ?? '') >= since &&
        (keys.day[0] ?? '') <= until &&
        (scope === undefined || keys[scope.by].includes(scope.value)),
    );
    const only = scope?.by === by ? scope.value : undefined;
    const all = new Set(counts.flatMap((one) => one.keys[by]));
    const keys = [...all].filter((key) => only === undefined || key === only).sort();
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
    await settle(this);
    return links.map((link) => this.#clicks.get(`${messageId} ${link}`) ?? 0);
  }
}

function keysOf({ time, ...facts }: Omit<SentMessage, 'links'>) {
  const { campaign, pathway, tags, recipientDomain } = countedKeys(facts);
  const text = new Date(time).toISOString();
  return {
    day: [text.slice(0, 10)],
    hour: [text.slice(0, 13)],
    campaign: [campaign],
    pathway: [pathway],
    tag: tags.length > 0 ? tags : [''],
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
