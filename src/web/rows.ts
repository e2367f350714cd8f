import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { dayOf, daysAfter } from '../lib/days.ts';
import { parsePlace } from '../link/place.ts';
import { NotCounted, REPORT_BY, type ReportBy, type ReportRow } from '../store/counters.ts';
import { breakdownsOf, daysKept } from '../store/engagement.ts';
import { BadRequest } from './errors.ts';
import {
  addressOf,
  type FilterQuery,
  Filters,
  Selected,
  type Selection,
  selectionOf,
} from './filters.ts';
import { type Html, html } from './html.ts';
import type { KnownNames } from './known-names.ts';
import { type Frame, page } from './layout.ts';
import { OF_EARLIER_MAIL, shareOf, shownCount, shownShare } from './numbers.ts';
import { asJson, numbersOf, reportCsv } from './report-formats.ts';
import { answers, CSV_ANSWERS, frameOf, respond, sendCsv } from './respond.ts';
import { rowName } from './row-name.ts';
import { Row, Total, Unreadable } from './schemas.ts';
import type { ShownReport, ShownReports } from './shown-reports.ts';
import { withoutGaps } from './summary.ts';
import { type Column, table } from './table.ts';

/** Rows of a page: strangers choose how many there are, and nothing else is done meanwhile. */
const PER_PAGE = 200;

const Breakdown = {
  by: Type.Enum(REPORT_BY, {
    description: 'One row for each of these; with `detail = none`, not `domain`.',
  }),
  ...Filters,
};

const RowsQuery = Type.Object(
  {
    ...Breakdown,
    page: Type.Optional(
      Type.String({
        pattern: '^[1-9]\\d{0,2}$',
        description: `The page, of ${PER_PAGE} rows each, for people; JSON has all rows.`,
      }),
    ),
  },
  { additionalProperties: false },
);

const CsvQuery = Type.Object(
  {
    ...Breakdown,
    gaps: Type.Optional(
      Type.Enum(['filled'], {
        description: 'With rows for the hours or days between in which nothing was counted.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Rows = Type.Object({
  by: Type.Enum(REPORT_BY),
  ...Selected,
  rows: Type.Array(Row),
  total: Total,
  unreadable: Unreadable,
});
type Rows = Static<typeof Rows>;

/** `/rows`, the rows of one breakdown, and `/rows.csv`. */
export const rowsView: FastifyPluginAsyncTypebox<{
  readonly reports: ShownReports;
  readonly names: KnownNames;
}> = async (app, { reports, names }) => {
  const read = async ({ by, ...query }: { readonly by: ReportBy } & FilterQuery) => {
    const selection = selectionOf(query);
    await reports.assertShown(selection);
    const report = await reports.report({ by, ...selection }).catch((error: unknown) => {
      throw error instanceof NotCounted ? new BadRequest(error.message) : error;
    });
    return { by, selection, report };
  };
  app.get(
    '/rows',
    {
      schema: {
        summary: 'The rows of one breakdown',
        querystring: RowsQuery,
        response: answers('The rows, sorted by key, and their total.', Rows),
      },
    },
    async (request, reply) => {
      const { page = '1', ...query } = request.query;
      const { by, selection, report } = await read(query);
      return respond(
        request,
        reply,
        () => rowsFound(by, selection, report),
        async () =>
          rowsPage(by, selection, report, {
            at: Number(page),
            reports,
            frame: await frameOf(request, names),
          }),
      );
    },
  );
  app.get(
    '/rows.csv',
    {
      schema: {
        summary: 'The rows of one breakdown as CSV',
        querystring: CsvQuery,
        response: CSV_ANSWERS,
      },
    },
    async (request, reply) => {
      const { gaps, ...query } = request.query;
      const { by, selection, report } = await read(query);
      let rows = report.rows.map(asJson);
      if (gaps !== undefined) {
        if (by !== 'hour' && by !== 'day') {
          throw new BadRequest(`gaps of ${by}: only hours and days have gaps`);
        }
        rows = withoutGaps(by, selection, rows);
      }
      const file = `${by}-${selection.since}-${selection.until}`;
      return sendCsv(reply, file, reportCsv(by, report, rows));
    },
  );
};

function rowsFound(
  by: ReportBy,
  selection: Selection,
  { rows, total, unreadable }: ShownReport,
): Rows {
  return {
    by,
    ...selection,
    rows: rows.map(asJson),
    total: numbersOf(total),
    unreadable,
  };
}

function mostClicked(a: ReportRow, b: ReportRow): number {
  return b.peopleClicks - a.peopleClicks || b.clicks - a.clicks;
}

/** In the order of the mail, part by part: the order of keys has place 10 before place 2. */
function byPlace(a: ReportRow, b: ReportRow): number {
  const [one, other] = [placeOf(a), placeOf(b)];
  if (one.part !== other.part) return one.part < other.part ? -1 : 1;
  return one.position - other.position;
}

/** Rows of several places, or of none that is known, come last. */
function placeOf({ key }: ReportRow) {
  const { part = '\uffff', position = 1e6 } = parsePlace(key) ?? {};
  return { part, position };
}

/** The days of which rows may be missing, because they are not kept as long as the others. */
function keptText(by: ReportBy, selection: Selection): string | false {
  const days = daysKept(by, selection);
  const isWhole = selection.since >= daysAfter(dayOf(Date.now()), 1 - days);
  return !isWhole && `Rows by ${by} are kept for ${days} days.`;
}

function rowsPage(
  by: ReportBy,
  selection: Selection,
  { rows, total, unreadable }: ShownReport,
  {
    at,
    reports,
    frame,
  }: { readonly at: number; readonly reports: ShownReports; readonly frame: Frame },
): Html {
  const isInTime = by === 'day' || by === 'hour';
  const order = by === 'position' ? byPlace : mostClicked;
  const sorted = isInTime ? rows : [...rows].sort(order);
  const { start, links } = portionAt(at, rows.length, { by, ...selection });
  const shown = breakdownsOf(selection).filter((other) => reports.shows(other));
  const others = shown.map((other) =>
    other === by
      ? html`<li aria-current="true">${TITLES[other]}</li>`
      : html`<li><a href="${addressOf('/rows', { by: other, ...selection })}">${TITLES[other]}</a></li>`,
  );
  const isAbove = rows.some((row) => row.peopleUniqueClicks > (row.messages ?? Infinity));
  const notes = [keptText(by, selection), isAbove && OF_EARLIER_MAIL].filter(Boolean);
  return page({
    ...frame,
    title: `Rows by ${by}`,
    path: '/rows',
    selection,
    keep: { by },
    content: html`<nav aria-label="Breakdowns"><ul>${others}</ul></nav>
<section>${unreadable > 0 && html`<p role="alert">${shownCount(unreadable)} counts are left out: they cannot be read.</p>`}
${links}
${table({
  label: `Rows by ${by}`,
  columns: [
    {
      title: TITLES[by],
      cell: (row) => (row === total ? 'Total' : rowName(by, row.key, selection)),
    },
    ...columns(total.messages !== undefined),
  ],
  rows: sorted.slice(start, start + PER_PAGE),
  foot: total,
  csv: addressOf('/rows.csv', { by, ...selection }),
})}
${links}
${sorted.length === 0 && html`<p>Nothing was counted by ${by} in these days.</p>`}
${notes.length > 0 && html`<p class="quiet">${notes.join(' ')}</p>`}
${reports.note}</section>`,
  });
}

/** Where the rows of a page begin, and which they are, with links to those before and after. */
function portionAt(at: number, rows: number, parameters: Parameters<typeof addressOf>[1]) {
  const last = Math.max(1, Math.ceil(rows / PER_PAGE));
  const page = Math.min(at, last);
  const start = (page - 1) * PER_PAGE;
  const linkTo = (other: number, text: string) =>
    other >= 1 &&
    other <= last &&
    html` <a href="${addressOf('/rows', { ...parameters, page: `${other}` })}">${text}</a>`;
  const end = Math.min(start + PER_PAGE, rows);
  const links =
    last > 1 &&
    html`<p class="quiet">Rows ${shownCount(start + 1)} to ${shownCount(end)} of ${shownCount(rows)}.${linkTo(page - 1, 'Previous')}${linkTo(page + 1, 'Next')}</p>`;
  return { start, links };
}

/** @param hasMessages whether messages are counted by row */
function columns(hasMessages: boolean): Column<ReportRow>[] {
  const count = (title: string, value: (row: ReportRow) => number) => ({
    title,
    cell: (row: ReportRow) => html`<data value="${value(row)}">${shownCount(value(row))}</data>`,
  });
  const share = (title: string, value: (row: ReportRow) => number | null) => ({
    title,
    cell: (row: ReportRow) => shownShare(value(row)),
  });
  return [
    ...(hasMessages
      ? [
          count('Messages', ({ messages = 0 }) => messages),
          count('Links', ({ links = 0 }) => links),
          share('Rate', (row) => shareOf(row.peopleUniqueClicks, row.messages ?? 0)),
        ]
      : []),
    count('People who clicked', (row) => row.peopleUniqueClicks),
    count('People’s clicks', (row) => row.peopleClicks),
    count('Automatic clicks', (row) => row.automaticClicks),
    count('All clicks', (row) => row.clicks),
    share('Automatic share', (row) => shareOf(row.automaticClicks, row.clicks)),
  ];
}

/** The subject of the rows of a breakdown. */
const TITLES: Readonly<Record<ReportBy, string>> = {
  campaign: 'Campaign',
  link: 'Link',
  position: 'Part, place and link',
  part: 'Part',
  pathway: 'Pathway',
  tag: 'Tag',
  domain: 'Recipients’ domain',
  day: 'Day (UTC)',
  hour: 'Hour (UTC)',
};
