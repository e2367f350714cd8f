import { getOrMake } from '../lib/values.ts';
import type { Report, ReportQuery, ReportRow } from './store.ts';

/**
 * The numbers of a report: messages and links sent; clicks, and the first ones on their link or
 * their message.
 */
export const METRICS = ['messages', 'links', 'clicks', 'rawClicks', 'uniqueClicks'] as const;
export type Metric = (typeof METRICS)[number];
export type Numbers = Record<Metric, number>;

/** Rows of a report; the others are one row with the key OTHER_KEY. */
const MAX_ROWS = 50_000;
/** Stands for campaigns, pathways and links that are not counted one by one. */
export const OTHER_KEY = '(other)';

/** Characters of a campaign, pathway or link that are counted: they come from outside. */
const MAX_TEXT = 300;

/** Cuts a campaign, pathway or link to the length that is counted. */
export function countedText(text: string): string {
  // A copy: a piece of a string keeps the whole string in memory.
  return text.length <= MAX_TEXT ? text : Buffer.from(text.slice(0, MAX_TEXT)).toString();
}

/** Reads a number of clicks or messages as it is stored. @returns undefined for anything else */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

export function noNumbers(): Numbers {
  return { messages: 0, links: 0, clicks: 0, rawClicks: 0, uniqueClicks: 0 };
}

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

  /** Whether the query is about this campaign. */
  includes(campaign: string): boolean {
    return this.query.campaign === undefined || this.query.campaign === campaign;
  }

  /** @param key the pathway or the link; which one, the query says */
  add(day: string, campaign: string, key: string, counts: Partial<Numbers>): void {
    const { by } = this.query;
    const name = by === 'day' ? day : by === 'campaign' ? campaign : key;
    const groups = this.#groups;
    const group = groups.has(name) || groups.size < MAX_ROWS ? name : OTHER_KEY;
    const numbers = getOrMake(groups, group, noNumbers);
    for (const metric of METRICS) {
      numbers[metric] += counts[metric] ?? 0;
      this.#total[metric] += counts[metric] ?? 0;
    }
  }

  report(): Report {
    const isByLink = this.query.by === 'link';
    const rows = [...this.#groups].map(([key, numbers]) =>
      // For one link, unique clicks are the messages whose first click on it was counted.
      this.#row(key, isByLink ? { ...numbers, uniqueClicks: numbers.rawClicks } : numbers),
    );
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { rows, total: this.#row('', this.#total), unreadable: this.unreadable };
  }

  /** A report by link says nothing about messages: each of them has many links. */
  #row(key: string, { messages, links, ...clicks }: Numbers): ReportRow {
    return { key, ...(this.query.by !== 'link' && { messages, links }), ...clicks };
  }
}
