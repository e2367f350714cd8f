import { type Static, Type } from 'typebox';
import { DAY_MS, dayOf, daysAfter } from '../lib/days.ts';
import { REPORT_SCOPES, type ReportFilter } from '../store/counters.ts';
import { daysKept } from '../store/engagement.ts';
import { BadRequest, DAY_PATTERN } from './errors.ts';

const DEFAULT_DAYS = 30;
/** Hours are counted for so many days. */
const HOUR_DAYS = daysKept('hour', {});
/** The longest period: so many days are counted. */
export const MAX_DAYS = daysKept('day', {});

const day = (description: string) =>
  Type.Optional(Type.String({ format: 'date', pattern: DAY_PATTERN, description }));
const name = (description: string) => Type.Optional(Type.String({ maxLength: 4096, description }));

/** The parameters that narrow a view. */
export const NameFilters = {
  campaign: name('Only this campaign.'),
  pathway: name('Only this pathway.'),
  tag: name('Only messages with this tag, where `log { detail }` shows it.'),
};

/** The parameters of every view of a period. */
export const Filters = {
  since: day('First UTC day, such as 2026-01-31; default: 29 days before `until`.'),
  until: day('Last UTC day; default: today.'),
  ...NameFilters,
  campaign: name('Only this campaign. At most one of campaign, pathway and tag.'),
};

/** The query of a view that takes nothing but filters. */
export const FilterQuery = Type.Object(Filters, { additionalProperties: false });
export type FilterQuery = Static<typeof FilterQuery>;

/** The fields by which a view can be narrowed: a view of counts by one at a time. */
export const NARROWING = REPORT_SCOPES;
export type Narrowing = (typeof NARROWING)[number];

/** UTC days, both included. */
export interface Period {
  readonly since: string;
  readonly until: string;
}

/** The subject of a view: a period, narrowed by at most one name. */
export type Selection = Period & ReportFilter;

/** The names to which an answer is narrowed. */
export const SelectedName = {
  campaign: Type.Optional(Type.String()),
  pathway: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String()),
};

/** The selection in an answer. */
export const Selected = { since: Type.String(), until: Type.String(), ...SelectedName };

/** @throws BadRequest for filters that contradict each other */
export function selectionOf(query: FilterQuery, now = Date.now()): Selection {
  const until = query.until ?? dayOf(now);
  const since = query.since ?? daysAfter(until, 1 - DEFAULT_DAYS);
  if (since > until) throw new BadRequest(`since is ${since}: expected a day up to ${until}`);
  if (daysOf({ since, until }) > MAX_DAYS) {
    throw new BadRequest(`${since} to ${until}: expected at most ${MAX_DAYS} days`);
  }
  if (namesIn(query).length > 1) throw new SeveralNames(query);
  return { since, until, ...narrowingOf(query) };
}

/** A view of counts cannot be narrowed to several names: nothing is counted by pairs of them. */
export class SeveralNames extends BadRequest {
  readonly names: ReportFilter;

  constructor(query: ReportFilter) {
    const set = namesIn(query).join(' and ');
    super(`nothing is counted by ${set} together: expected one of them`);
    this.names = narrowingOf(query);
  }
}

/** The fields by which a query narrows a view. */
export function namesIn(query: ReportFilter): readonly Narrowing[] {
  return NARROWING.filter((field) => query[field] !== undefined);
}

/** The names to which a query narrows a view, always in the same order. */
export function narrowingOf(query: ReportFilter): ReportFilter {
  return Object.fromEntries(namesIn(query).map((field) => [field, query[field]]));
}

/** A period as people write it. */
export function daysText({ since, until }: Period): string {
  return since === until ? since : `${since} to ${until}`;
}

/** The period of the same length before it. */
export function periodBefore({ since, until }: Period): Period {
  const days = daysOf({ since, until });
  return { since: daysAfter(since, -days), until: daysAfter(since, -1) };
}

/** The first day of which counts are kept. */
export function firstDayKept(now: number): string {
  return daysAfter(dayOf(now), 1 - MAX_DAYS);
}

/** The first day of a period from a day until today, as far back as days are counted. */
export function countedSince(day: string, now = Date.now()): string {
  const today = dayOf(now);
  const oldest = firstDayKept(now);
  return day < oldest ? oldest : day > today ? today : day;
}

/** The part of a period for which hours are counted; undefined if there is none. */
export function hoursOf({ since, until }: Period, now = Date.now()): Period | undefined {
  const first = daysAfter(dayOf(now), 1 - HOUR_DAYS);
  return until < first ? undefined : { since: since > first ? since : first, until };
}

/** The address of a view with these parameters; those that are undefined are left out. */
export function addressOf(
  path: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const set = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  const query = new URLSearchParams(set).toString();
  return query === '' ? path : `${path}?${query}`;
}

function daysOf({ since, until }: Period): number {
  return (Date.parse(until) - Date.parse(since)) / DAY_MS + 1;
}
