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

export interface CountersReader {
  /** Rows sorted by key, and one over all of them. Raw and unique clicks may be approximate (Momentum's are). */
  report(query: ReportQuery): Promise<{ rows: readonly ReportRow[]; total: ReportRow }>;
}
