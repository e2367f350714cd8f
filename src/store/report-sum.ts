import { getOrMake } from '../lib/values.ts';
import {
  addNumbers,
  dayAndHour,
  type Numbers,
  noNumbers,
  OTHER_KEY,
  UNKNOWN_KEY,
} from './counting.ts';
import type { Report, ReportBy, ReportQuery, ReportRow } from './store.ts';
import { BREAKDOWNS, parsePlace, type Table } from './tallies.ts';

const DAY_MS = 86_400_000;
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
  /** Counts left out because they cannot be read. */
  unreadable = 0;
  readonly #groups = new Map<string, Numbers>();
  readonly #total = noNumbers();

  constructor(query: ReportQuery) {
    this.query = query;
  }

  /** The first day that is asked for and kept. */
  get firstDay(): string {
    const { by, since, until } = this.query;
    const last = until === undefined ? Date.now() : Date.parse(until);
    const oldest = last - (BREAKDOWNS[by].keepDays - 1) * DAY_MS;
    const first = since === undefined ? oldest : Math.max(Date.parse(since), oldest);
    return dayAndHour(first).day;
  }

  /** The days that are asked for and kept, up to today. */
  get days(): string[] {
    const { until = dayAndHour(Date.now()).day } = this.query;
    const days: string[] = [];
    for (let day = this.firstDay; day <= until; day = dayAndHour(Date.parse(day) + DAY_MS).day) {
      days.push(day);
    }
    return days;
  }

  /** The tables of a day that hold the rows of the report, and their total. */
  tablesOf(day: string): { rows: Table; total: Table | undefined } {
    const { by, campaign } = this.query;
    if (campaign === undefined) return { rows: { day, by }, total: { day, by: 'day' } };
    // Other campaigns are in the same table.
    if (by === 'campaign') return { rows: { day, by }, total: undefined };
    const isOfPlaces = by === 'link' || by === 'part';
    return {
      rows: { day, by: isOfPlaces ? 'position' : by, campaign },
      total: { day, by: 'day', campaign },
    };
  }

  /** Adds a row of the table that `tablesOf` named. */
  addRow(table: Table, key: string, numbers: Partial<Numbers>): void {
    const { by, campaign } = this.query;
    if (by === 'campaign' && campaign !== undefined) {
      if (key === campaign) {
        this.#addToGroup(key, numbers);
        this.addToTotal(numbers);
      }
    } else if (by === table.by) {
      this.#addToGroup(key, numbers);
    } else {
      const place = parsePlace(key);
      if (place === undefined) this.unreadable++;
      else this.#addToGroup(by === 'part' ? place.part : place.label, numbers);
    }
  }

  /**
   * Adds a count of an earlier release, which knew no other breakdowns, and no classes.
   * @param key the pathway or the link; which one, the query says
   */
  addOldCount(day: string, campaign: string, key: string, numbers: Partial<Numbers>): void {
    const { by } = this.query;
    if (this.query.campaign !== undefined && this.query.campaign !== campaign) return;
    const known: Partial<Record<ReportBy, string>> = { day, campaign, pathway: key, link: key };
    this.#addToGroup(known[by] ?? UNKNOWN_KEY, numbers);
    this.addToTotal(numbers);
  }

  #addToGroup(key: string, numbers: Partial<Numbers>): void {
    const groups = this.#groups;
    const group = groups.has(key) || groups.size < MAX_ROWS ? key : OTHER_KEY;
    addNumbers(getOrMake(groups, group, noNumbers), numbers);
  }

  addToTotal(numbers: Partial<Numbers>): void {
    addNumbers(this.#total, numbers);
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

function withUniqueOfLink(numbers: Numbers): Numbers {
  const { rawClicks, peopleRawClicks } = numbers;
  return { ...numbers, uniqueClicks: rawClicks, peopleUniqueClicks: peopleRawClicks };
}
