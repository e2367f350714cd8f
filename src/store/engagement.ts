import { DAY_MS, daysAfter, HOUR_MS, timeOf } from '../lib/days.ts';
import type { CountedFacts } from '../link/counted.ts';
import {
  REPORT_BY,
  REPORT_SCOPES,
  type ReportBy,
  type ReportFilter,
  type ReportRow,
  type ReportScope,
  type Reports,
} from './counters.ts';
import { countedKeys, countedText, OTHER_KEY, UNKNOWN_KEY } from './counting.ts';
import { HOUR_DAYS, KEEP_DAYS, sizeOf, sourceOf } from './tallies.ts';

/** The breakdowns that are counted of all mail, or of one campaign, pathway or tag. */
export function breakdownsOf(filter: ReportFilter): readonly ReportBy[] {
  const scope = scopeIn(filter);
  return REPORT_BY.filter(
    (by) => by === 'day' || by === scope || sourceOf(by, scope) !== undefined,
  );
}

/** How many days a breakdown goes back. */
export function daysKept(by: ReportBy, filter: ReportFilter): number {
  return sizeOf(by, scopeIn(filter))?.days ?? KEEP_DAYS;
}

/** The campaign, pathway and tags that a message or click counts in. */
export type CountedNames = Readonly<Record<ReportScope, readonly string[]>>;

export function countedNames(facts: CountedFacts): CountedNames {
  const { campaign, pathway, tags } = countedKeys(facts);
  return { campaign: [campaign], pathway: [pathway], tag: tags };
}

/** Tells what counts in reports with a filter, or has all of several names. */
export function countsIn(filter: ReportFilter): (names: CountedNames) => boolean {
  const expected = Object.entries(filter).map(
    ([scope, name]) => [scope as ReportScope, countedText(name)] as const,
  );
  return (names) => expected.every(([scope, name]) => names[scope].includes(name));
}

function scopeIn(filter: ReportFilter) {
  return REPORT_SCOPES.find((scope) => filter[scope] !== undefined);
}

/**
 * Whether a row is about one campaign, pathway, tag or link; the others have a key that stands for
 * several.
 */
export function isNamed(key: string): boolean {
  return key !== '' && key !== OTHER_KEY && key !== UNKNOWN_KEY;
}

/** The numbers of a campaign in the hours `from` to `to` (excluded) since it began. */
export interface AgeRow extends ReportRow {
  readonly from: number;
  readonly to: number;
}

/** A campaign from its first message to its last click. */
export interface CampaignLife {
  /** The UTC hour, or day, of the first message: YYYY-MM-DDTHH, YYYY-MM-DD. */
  readonly began: string;
  /**
   * An hour each in the first 14 days, then a day each; only days where `began` is a day, because
   * the hours of the first day are not kept any more. Ages without counts are left out.
   */
  readonly ages: readonly AgeRow[];
}

/** @returns undefined for a campaign of which nothing is counted */
export async function readLife(
  reports: Pick<Reports, 'report'>,
  campaign: string,
): Promise<CampaignLife | undefined> {
  const { rows: days } = await reports.report({ campaign, by: 'day' });
  const day = firstOf(days)?.key;
  if (day === undefined) return undefined;
  const until = daysAfter(day, HOUR_DAYS - 1);
  const { rows: hours } = await reports.report({ campaign, by: 'hour', since: day, until });
  const hour = firstOf(hours)?.key;
  const began = hour?.startsWith(day) ? hour : day;
  const hasHours = began !== day;
  const rows = [
    ...(hasHours ? hours.map((row) => [row, HOUR_MS] as const) : []),
    ...days.filter(({ key }) => !hasHours || key > until).map((row) => [row, DAY_MS] as const),
  ];
  const start = timeOf(began);
  const ages = rows.map(([row, length]): AgeRow => {
    const from = timeOf(row.key) - start;
    return { ...row, from: from / HOUR_MS, to: (from + length) / HOUR_MS };
  });
  // Clicks whose hour is not known have no age.
  return { began, ages: ages.filter(({ from }) => from >= 0) };
}

/** The first row with messages, else the first: those of a long time ago are not kept. */
function firstOf(rows: readonly ReportRow[]): ReportRow | undefined {
  return rows.find(({ messages = 0 }) => messages > 0) ?? rows[0];
}
