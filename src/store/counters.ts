import type { CountedFacts } from '../link/counted.ts';
import type { MessageFacts, TrackedLink } from '../link/message-facts.ts';

/** Counts messages and links sent, the denominators of reports. Must never make mail wait. */
export interface SentCounter {
  sent(message: SentMessage): void;
}

export interface SentMessage extends CountedFacts {
  /** When it was injected, in Unix milliseconds. */
  readonly time: number;
  /** How many of its links are tracked. */
  readonly links: number;
}

/** Who clicked, as far as is known. */
export type ClickClass = 'people' | 'automatic';

/**
 * Counts clicks in portions, each once. A portion is kept as a text by the step that acknowledges
 * its events, so that a process that is killed loses none and counts none twice.
 */
export interface ClickCounter {
  /** Adds clicks whose class is settled to the next portion. */
  book(click: CountedClick, by: ClickClass): void;
  /** Gives away what was booked. @returns an empty text where that is nothing */
  portion(): Promise<string>;
  /**
   * Counts a portion, before any other. After an error, or where a process was killed, it is called
   * again with the same text, and counts what was not counted yet. A process that was stopped, and
   * goes on when others have counted this portion and later ones, counts nothing.
   * @param id that of the note which keeps the portion
   * @throws Error where something cannot be counted now
   */
  count(portion: string, id: string): Promise<void>;
}

/**
 * Clicks on one link of one message; the repeats of a flood are one call. It is plain data, without
 * personal facts.
 */
export interface CountedClick extends CountedFacts {
  /** When it was clicked, in Unix milliseconds. */
  readonly time: number;
  readonly messageId: string;
  /** The link's name, else its target. */
  readonly link: string;
  readonly part: TrackedLink['part'];
  /**
   * The link's place among the tracked links of its message, from 0 on; absent where it is not
   * known.
   */
  readonly position?: number | undefined;
  /** How many clicks this stands for, at least 1. */
  readonly count: number;
}

/** The numbers behind reports, which read sums. */
export interface Counters extends SentCounter, ClickCounter, Reports {
  /** Writes which messages were sent; what cannot be written now stays for the next time. */
  flush(): Promise<void>;
  /**
   * Sums up what was counted, where that makes reports quicker. It is called now and then.
   * @param signal ends it early
   */
  sumUp(signal: AbortSignal): Promise<void>;
}

/** A message, and when it was injected: nobody clicks before. */
export type SentAt = Pick<MessageFacts, 'messageId' | 'injectionTime'>;

/** Reads sums that were made as clicks were counted: no report reads events. */
export interface Reports {
  /** @throws NotCounted for a query that no counts answer */
  report(query: ReportQuery): Promise<Report>;
  /**
   * How many clicks on each of these links of a message were counted.
   * @param links the name of each, else its target
   */
  clicksOf(message: SentAt, links: readonly string[]): Promise<readonly number[]>;
}

/** A report has one row for each of these. `hour` and `day` make series. */
export const REPORT_BY = [
  'campaign',
  'link',
  'position',
  'part',
  'pathway',
  'tag',
  'domain',
  'day',
  'hour',
] as const;
export type ReportBy = (typeof REPORT_BY)[number];

/** What a report may be limited to. */
export const REPORT_SCOPES = ['campaign', 'pathway', 'tag'] as const;
export type ReportScope = (typeof REPORT_SCOPES)[number];

/** A campaign, pathway or tag. A report is limited by at most one, and clicks by all of several. */
export type ReportFilter = { readonly [scope in ReportScope]?: string };

export interface ReportQuery extends ReportFilter {
  /** `breakdownsOf` in engagement.ts says which are counted, `daysKept` how far they go back. */
  readonly by: ReportBy;
  /** First and last UTC day, YYYY-MM-DD, both included. */
  readonly since?: string;
  readonly until?: string;
}

/** A report was asked for whose numbers are not counted. Its message says which ones are. */
export class NotCounted extends Error {
  override readonly name = 'NotCounted';
}

/**
 * One row of a report. Messages count when they were injected, clicks when they were made, and
 * first clicks where the first click was. Clicks that are neither people's nor automatic were
 * counted by a release that did not tell them apart.
 */
export interface ReportRow {
  /**
   * A UTC day or hour (YYYY-MM-DDTHH), a campaign, pathway, tag, recipients' domain, part or link,
   * or the place of a link (`html 3 Shop`). Empty where the message had none.
   */
  readonly key: string;
  /**
   * Messages and links tracked; absent in reports by link, position and part, where they are not
   * counted.
   */
  readonly messages?: number;
  readonly links?: number;
  /** Momentum's count_clicked: clicks. */
  readonly clicks: number;
  /** Momentum's count_raw_clicked: links clicked at least once, each counted once per message. */
  readonly rawClicks: number;
  /** Momentum's count_unique_clicked: messages of which at least one link was clicked. */
  readonly uniqueClicks: number;
  /** Clicks of people. */
  readonly peopleClicks: number;
  /** Links that people clicked at least once, each counted once per message. */
  readonly peopleRawClicks: number;
  /** Messages of which people clicked at least one link. */
  readonly peopleUniqueClicks: number;
  /** Clicks of programs. */
  readonly automaticClicks: number;
}

/**
 * Rows sorted by key, and their total; a message with several tags is in several rows. Raw and
 * unique clicks may be approximate, as Momentum's are.
 */
export interface Report {
  readonly rows: readonly ReportRow[];
  readonly total: ReportRow;
  /** Counts left out because they cannot be read: another program or damage put them there. */
  readonly unreadable: number;
}
