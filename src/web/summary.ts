import { type Static, Type } from 'typebox';
import { DAY_MS, dayOf, HOUR_MS, timeOf } from '../lib/days.ts';
import { getOrMake } from '../lib/values.ts';
import type { ReportBy, ReportRow } from '../store/counters.ts';
import { isNamed } from '../store/engagement.ts';
import {
  addressOf,
  daysText,
  firstDayKept,
  MAX_DAYS,
  type Period,
  periodBefore,
  Selected,
  type Selection,
} from './filters.ts';
import { type Content, type Html, html } from './html.ts';
import { countLink, OF_EARLIER_MAIL, shareLink, shareOf, shownCount } from './numbers.ts';
import { asJson } from './report-formats.ts';
import { Row, Unreadable } from './schemas.ts';
import type { ShownReport, ShownReports } from './shown-reports.ts';
import { type Column, plot } from './table.ts';

const figure = (description: string) =>
  Type.Object(
    {
      value: Type.Union([Type.Number(), Type.Null()], { description: 'In the period.' }),
      before: Type.Union([Type.Number(), Type.Null()], {
        description: 'In the period of the same length before it.',
      }),
    },
    { description },
  );
type Figure = Static<ReturnType<typeof figure>>;

/** What Overview and Campaign begin with: the members of their answers. */
export const Summary = {
  ...Selected,
  before: Type.Object({
    since: Type.String(),
    until: Type.String(),
    first: Type.Optional(
      Type.String({ description: 'The first of its days on which anything was counted.' }),
    ),
  }),
  messages: figure('Messages with tracked links.'),
  people_unique_clicked: figure('Messages of which people clicked a link.'),
  rate: figure('The share of messages of which people clicked a link; null without messages.'),
  automatic_share: figure('The share of clicks that programs made; null without clicks.'),
  days: Type.Array(Row),
  hours: Type.Array(Row),
  unreadable: Unreadable,
};
type Summary = Static<ReturnType<typeof Type.Object<typeof Summary>>>;

/**
 * @param hourly the part of the period of which hours are shown, if any
 * @param lists the further breakdowns of the view
 */
export async function readSummary<By extends ReportBy>(
  reports: ShownReports,
  selection: Selection,
  hourly: Period | undefined,
  lists: readonly By[],
): Promise<{ summary: Summary; lists: Readonly<Record<By, ShownReport>> }> {
  const before = periodBefore(selection);
  const read = (by: ReportBy, period: Period = selection) =>
    reports.report({ ...selection, ...period, by });
  const readList = async (by: By): Promise<[By, ShownReport]> => [by, await read(by)];
  const [days, daysBefore, hours, others] = await Promise.all([
    read('day'),
    read('day', before),
    hourly && read('hour', hourly),
    Promise.all(lists.map(readList)),
  ]);
  const compare = (value: (total: ReportRow) => number | null): Figure => ({
    value: value(days.total),
    before: value(daysBefore.total),
  });
  const all = [days, daysBefore, hours, ...others.map(([, report]) => report)];
  const first = daysBefore.rows[0]?.key;
  const summary = {
    ...selection,
    before: { ...before, ...(first !== undefined && { first }) },
    messages: compare(({ messages = 0 }) => messages),
    people_unique_clicked: compare((total) => total.peopleUniqueClicks),
    rate: compare(({ peopleUniqueClicks, messages = 0 }) => shareOf(peopleUniqueClicks, messages)),
    automatic_share: compare(({ automaticClicks, clicks }) => shareOf(automaticClicks, clicks)),
    days: days.rows.map(asJson),
    hours: (hours?.rows ?? []).map(asJson),
    unreadable: all.reduce((sum, report) => sum + (report?.unreadable ?? 0), 0),
  };
  return { summary, lists: Object.fromEntries(others) as Record<By, ShownReport> };
}

/** The rows that people clicked most. */
export function mostClicked({ rows }: ShownReport, most: number): Row[] {
  const byPeople = (a: ReportRow, b: ReportRow) =>
    b.peopleClicks - a.peopleClicks || b.clicks - a.clicks;
  return [...rows].sort(byPeople).slice(0, most).map(asJson);
}

/** How the figures of each kind are written, with a link to their rows. */
const LINKS = {
  count: (value: number | null, address: string) => countLink(value ?? 0, address),
  share: shareLink,
};
type Kind = keyof typeof LINKS;

/** Figures with their changes against the period before. */
export function figuresOf(selection: Selection, summary: Summary): Html {
  const { since, until } = summary.before;
  const now = addressOf('/rows', { by: 'day', ...selection });
  const before = addressOf('/rows', { by: 'day', ...selection, since, until });
  const card = (title: string, figure: Figure, kind: Kind) =>
    html`<div><dt>${title}</dt><dd>${LINKS[kind](figure.value, now)}</dd>
<dd>${change(figure, kind, before)}</dd></div>`;
  const { messages, people_unique_clicked: people, rate, automatic_share: automatic } = summary;
  return html`<dl class="figures">
${card('Messages', messages, 'count')}
${card('People who clicked', people, 'count')}
${card('Rate', rate, 'share')}
${card('Automatic share', automatic, 'share')}
</dl>
<p class="quiet">${comparison(selection, summary)}</p>
${summary.unreadable > 0 && html`<p role="alert">${shownCount(summary.unreadable)} counts are left out: they cannot be read.</p>`}`;
}

/** What the changes compare, and what makes them look larger or smaller than they are. */
function comparison(selection: Selection, summary: Summary): Content {
  const { before, messages, people_unique_clicked: people } = summary;
  const { since, first } = before;
  const days = daysText(before);
  return [
    first === undefined
      ? `Nothing was counted in the days before, ${days}.`
      : `Changes are against ${days}.`,
    since < firstDayKept(Date.now()) && ` Counts are kept for ${MAX_DAYS} days.`,
    first !== undefined && first > since && ` Nothing was counted there before ${first}.`,
    selection.until === dayOf(Date.now()) && ` Today, ${selection.until}, is not over yet.`,
    (people.value ?? 0) > (messages.value ?? 0) && ` ${OF_EARLIER_MAIL}`,
  ];
}

/**
 * Clicks and messages over time.
 * @param hourly the part of the period of which hours are shown
 */
export function timelines(
  selection: Selection,
  { hours, days }: Summary,
  hourly: Period = selection,
): Html {
  return html`${timeline('hour', selection, hours, hourly)}
${timeline('day', selection, days, selection)}`;
}

/** The change of a figure: counts in per cent, shares in points. */
function change({ value, before }: Figure, kind: Kind, rowsBefore: string): Content {
  const isShare = kind === 'share';
  if (before === null || (before === 0 && !isShare)) return 'nothing before';
  if (value === null) return html`${LINKS[kind](before, rowsBefore)} before`;
  const difference = isShare ? 100 * (value - before) : (100 * (value - before)) / before;
  const rounded = Math.abs(difference).toFixed(1);
  const sign = rounded === '0.0' ? '±' : difference > 0 ? '+' : '−';
  const size = `${sign}${rounded}${isShare ? ' points' : '%'}`;
  return html`<a href="${rowsBefore}">${size}</a> from ${LINKS[kind](before, rowsBefore)}`;
}

function timeline(
  by: 'hour' | 'day',
  selection: Selection,
  counted: readonly Row[],
  { since }: Period,
): Html | false {
  const rows = withoutGaps(by, selection, counted);
  if (rows.length === 0) return false;
  // The hours of a day share theirs.
  const addresses = new Map<string, string>();
  const rowsAt = (of: ReportBy, { key }: Row) => {
    const day = key.slice(0, 10);
    return getOrMake(addresses, `${of} ${day}`, () =>
      addressOf('/rows', { by: of, ...selection, since: day, until: day }),
    );
  };
  return plot({
    kind: 'time',
    label: `Clicks by ${by}`,
    note: since > selection.since && `Hours before ${since} are not shown.`,
    columns: [
      { title: by === 'hour' ? 'Hour (UTC)' : 'Day (UTC)', cell: ({ key }) => timeCell(key) },
      // The rows of a day are its links and campaigns; those of an hour are the hours of its day.
      ...clickColumns<Row>((row) => rowsAt(by === 'day' ? 'link' : by, row)),
      {
        title: 'Messages',
        series: 'messages',
        cell: (row) => countLink(row.messages ?? 0, rowsAt(by === 'day' ? 'campaign' : by, row)),
      },
    ],
    rows,
    all: addressOf('/rows', { by, ...selection }),
    csv: addressOf('/rows.csv', { by, ...selection, gaps: 'filled' }),
  });
}

/**
 * The columns of clicks by people and by programs, as every plot has them.
 * @param rowsOf where the rows behind the numbers of a row are
 * @param until is put behind the titles
 */
export function clickColumns<R extends Pick<Row, 'people_clicked' | 'automatic_clicked'>>(
  rowsOf: (row: R) => string,
  until = '',
): readonly [Column<R>, Column<R>] {
  return [
    {
      title: `People’s clicks${until}`,
      series: 'people',
      cell: (row) => countLink(row.people_clicked, rowsOf(row)),
    },
    {
      title: `Automatic clicks${until}`,
      series: 'automatic',
      cell: (row) => countLink(row.automatic_clicked, rowsOf(row)),
    },
  ];
}

const NOTHING = {
  messages: 0,
  links: 0,
  count_clicked: 0,
  count_raw_clicked: 0,
  count_unique_clicked: 0,
  people_clicked: 0,
  people_raw_clicked: 0,
  people_unique_clicked: 0,
  automatic_clicked: 0,
  unknown_clicked: 0,
};

/** The hours or days from the first that was counted to the end of the period or now, whatever is earlier. */
export function withoutGaps(
  by: 'hour' | 'day',
  { until }: Period,
  counted: readonly Row[],
  now = Date.now(),
): Row[] {
  const known = new Map(counted.map((row) => [row.key, row]));
  // Hours of an earlier release are not known.
  const first = counted.find(({ key }) => isNamed(key));
  if (first === undefined) return [];
  const end = Math.min(now, Date.parse(until) + DAY_MS - 1);
  const rows: Row[] = [];
  const step = by === 'hour' ? HOUR_MS : DAY_MS;
  for (let time = timeOf(first.key); time <= end; time += step) {
    const key = new Date(time).toISOString().slice(0, by === 'hour' ? 13 : 10);
    rows.push(known.get(key) ?? { key, ...NOTHING });
  }
  return rows;
}

function timeCell(key: string): Html {
  const iso = key.length > 10 ? `${key}:00Z` : key;
  return html`<time datetime="${iso}">${key.replace('T', ' ')}${key.length > 10 && ':00'}</time>`;
}
