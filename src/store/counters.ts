/** Clicks for the counters behind reports; one flood of repeats is one call. */
export interface CountedClick {
  /** UTC day of the click, YYYY-MM-DD. */
  readonly day: string;
  readonly messageId: string;
  readonly campaign?: string;
  readonly pathway?: string;
  /** The link's name, else its target. */
  readonly link: string;
  /** How many clicks this stands for, at least 1. */
  readonly count: number;
}

/** Counts clicks for reports, in batches. Must never make the redirect wait. */
export interface ClickCounter {
  clicked(click: CountedClick): void;
}

export type ReportBy = 'link' | 'campaign' | 'pathway' | 'day';

export interface ReportQuery {
  readonly by: ReportBy;
  /** First and last UTC day, YYYY-MM-DD, both included. */
  readonly since?: string;
  readonly until?: string;
  readonly campaign?: string;
}

/** One row of a report, of one link, campaign, pathway or day; counts by day are by the day of the injection or of the click. */
export interface ReportRow {
  /** Empty where the message had no campaign or pathway. */
  readonly key: string;
  /** Messages and links tracked; absent by link, where they are not counted. */
  readonly messages?: number;
  readonly links?: number;
  /** Momentum's count_clicked: every time a link was followed. */
  readonly clicks: number;
  /** Momentum's count_raw_clicked: links followed at least once, each counted once a message. */
  readonly rawClicks: number;
  /** Momentum's count_unique_clicked: messages of which at least one link was followed. */
  readonly uniqueClicks: number;
}

/** Rows sorted by key, and one over all of them. Raw and unique clicks may be approximate (Momentum's are). */
export interface Report {
  readonly rows: readonly ReportRow[];
  readonly total: ReportRow;
  /** Counts that were left out, since they cannot be read: another program, or damage, put them there. */
  readonly unreadable: number;
}

/** Rows of a report; beyond them everything is one row with the key OTHER_KEY. */
export const MAX_ROWS = 50_000;
/** Stands for campaigns, pathways and links that are not counted one by one. */
export const OTHER_KEY = '(other)';

export interface CountersReader {
  report(query: ReportQuery): Promise<Report>;
}

/** Campaigns, pathways and links come from outside: what is counted of them has a limit. */
const MAX_TEXT = 300;

/** A campaign, pathway or link as it is counted. */
export function countedText(text: string): string {
  // A copy: a piece of a string keeps the whole of it alive.
  return text.length <= MAX_TEXT ? text : Buffer.from(text.slice(0, MAX_TEXT)).toString();
}

/** A number of clicks or messages as it is stored. @returns undefined for anything else */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
