import { DAY_MS, dayOf, daysAfter } from '../lib/days.ts';
import { getOrMake } from '../lib/values.ts';
import { parsePlace } from '../link/place.ts';
import {
  NotCounted,
  REPORT_SCOPES,
  type Report,
  type ReportBy,
  type ReportFilter,
  type ReportQuery,
  type ReportRow,
} from './counters.ts';
import {
  addNumbers,
  countedText,
  type Numbers,
  noNumbers,
  OTHER_KEY,
  UNKNOWN_KEY,
} from './counting.ts';
import { KEEP_DAYS, type Scope, sizeOf, sourceOf, type Table } from './tallies.ts';

/** Rows of a report; the others are one row with the key OTHER_KEY. */
const MAX_ROWS = 50_000;
/** Breakdowns in which messages are not counted: each of them has many links. */
const CLICKS_ONLY: readonly ReportBy[] = ['link', 'position', 'part'];

/**
 * Adds up counts to a report. They may come from two stores that counted one after the other; then
 * a link that was clicked in both times has a first click in each.
 */
export class ReportSum {
  readonly query: ReportQuery;
  /** The campaign, pathway or tag to which the report is limited; absent for all mail. */
  readonly scope: Scope | undefined;
  /** Counts left out because they cannot be read. */
  unreadable = 0;
  /** The breakdown of the tables that hold the rows; absent where each day has one row, its total. */
  readonly #by: ReportBy | undefined;
  readonly #groups = new Map<string, Numbers>();
  readonly #total = noNumbers();

  /** @throws NotCounted for a query that no counts answer */
  constructor(query: ReportQuery) {
    this.query = query;
    this.scope = scopeOf(query);
    this.#by = breakdownOf(query.by, this.scope);
  }

  /** The first day that is asked for and kept. */
  get firstDay(): string {
    const { since, until } = this.query;
    const days = this.#by && sizeOf(this.#by, this.scope?.by)?.days;
    const last = until === undefined ? Date.now() : Date.parse(until);
    const oldest = last - ((days ?? KEEP_DAYS) - 1) * DAY_MS;
    const first = since === undefined ? oldest : Math.max(Date.parse(since), oldest);
    return dayOf(first);
  }

  /** The days that are asked for and kept, up to today. */
  get days(): string[] {
    const { until = dayOf(Date.now()) } = this.query;
    const days: string[] = [];
    for (let day = this.firstDay; day <= until; day = daysAfter(day, 1)) {
      days.push(day);
    }
    return days;
  }

  /** The rows that hold the total of a day. Where there are none, nothing was counted. */
  totalOf(day: string): { readonly table: Table; readonly keys: readonly string[] } {
    return this.scope === undefined
      ? { table: { day, by: 'day' }, keys: [day, OTHER_KEY] }
      : { table: { day, by: this.scope.by }, keys: [this.scope.value] };
  }

  /** The table that holds the rows of a day; absent where its total is its only row. */
  tableOf(day: string): Table | undefined {
    return this.#by && { day, by: this.#by, scope: this.scope };
  }

  /** Adds a row that `totalOf` named. */
  addTotal(day: string, numbers: Partial<Numbers>): void {
    addNumbers(this.#total, numbers);
    if (this.#by === undefined)
      this.#addToGroup(this.scope?.by === this.query.by ? this.scope.value : day, numbers);
  }

  /** Adds a row of the table that `tableOf` named. */
  addRow(key: string, numbers: Partial<Numbers>): void {
    const { by } = this.query;
    if (by === this.#by) {
      this.#addToGroup(key, numbers);
    } else {
      const place = parsePlace(key);
      if (place === undefined) this.unreadable++;
      else this.#addToGroup(by === 'part' ? place.part : place.label, numbers);
    }
  }

  /**
   * Adds a count of an earlier release, which knew no other breakdowns, and no classes.
   * @param key the pathway; the link in reports by link
   */
  addOldCount(day: string, campaign: string, key: string, numbers: Partial<Numbers>): void {
    const { by } = this.query;
    const known: Partial<Record<ReportBy, string>> = {
      day,
      campaign,
      [by === 'link' ? 'link' : 'pathway']: key,
    };
    if (this.scope !== undefined && known[this.scope.by] !== this.scope.value) return;
    this.#addToGroup(known[by] ?? UNKNOWN_KEY, numbers);
    addNumbers(this.#total, numbers);
  }

  #addToGroup(key: string, numbers: Partial<Numbers>): void {
    const groups = this.#groups;
    const group = groups.has(key) || groups.size < MAX_ROWS ? key : OTHER_KEY;
    addNumbers(getOrMake(groups, group, noNumbers), numbers);
  }

  report(): Report {
    const isOfLinks = this.query.by === 'link' || this.query.by === 'position';
    const rows = [...this.#groups].map(([key, numbers]) =>
      // For one link, unique clicks are the messages whose first click on it was counted.
      this.#row(key, isOfLinks ? withUniqueOfLink(numbers) : numbers),
    );
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { rows, total: this.#row('', this.#total), unreadable: this.unreadable };
  }

  #row(key: string, numbers: Numbers): ReportRow {
    const { messages, links, ...clicks } = numbers;
    return { key, ...(!CLICKS_ONLY.includes(this.query.by) && { messages, links }), ...clicks };
  }
}

/** @throws NotCounted for more than one campaign, pathway or tag */
function scopeOf(query: ReportFilter): Scope | undefined {
  const scopes = REPORT_SCOPES.flatMap((by): Scope[] => {
    const value = query[by];
    return value === undefined ? [] : [{ by, value: countedText(value) }];
  });
  if (scopes.length > 1) {
    const [one, other] = scopes.map(({ by }) => by);
    throw new NotCounted(`${one} and ${other}: not counted together; ask for one of them`);
  }
  return scopes[0];
}

/**
 * The breakdown of the tables that answer a query.
 * @returns undefined where the totals of days do
 * @throws NotCounted where no tables do
 */
function breakdownOf(by: ReportBy, scope: Scope | undefined): ReportBy | undefined {
  if (by === 'day' || by === scope?.by) return undefined;
  const from = sourceOf(by, scope?.by);
  if (from !== undefined) return from;
  const places = REPORT_SCOPES.filter((one) => sourceOf(by, one)).map((one) => `of one ${one}`);
  const all = sourceOf(by, undefined) ? ['of all mail'] : [];
  throw new NotCounted(`by ${by}: counted only ${[...all, ...places].join(' or ')}`);
}

function withUniqueOfLink(numbers: Numbers): Numbers {
  const { rawClicks, peopleRawClicks } = numbers;
  return { ...numbers, uniqueClicks: rawClicks, peopleUniqueClicks: peopleRawClicks };
}
