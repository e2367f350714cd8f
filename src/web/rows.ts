import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { REPORT_BY, type Report, type ReportBy, type Reports } from '../store/store.ts';
import { BadRequest } from './errors.ts';
import { addressOf, Filters, Selected, type Selection, selectionOf } from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import { page } from './layout.ts';
import { shareOf, shownCount, shownShare } from './numbers.ts';
import { numbersOf, reportCsv } from './report-formats.ts';
import { answers, respond } from './respond.ts';
import { Problem, Row, Total, Unreadable } from './schemas.ts';

const RowsQuery = Type.Object(
  {
    by: Type.Enum(REPORT_BY, { description: 'One row for each of these.' }),
    ...Filters,
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
export const rowsView: FastifyPluginAsyncTypebox<{ readonly reports: Reports }> = async (
  app,
  { reports },
) => {
  const read = async ({ by, ...query }: Static<typeof RowsQuery>) => {
    const selection = selectionOf(query);
    if (by === 'position' && selection.campaign === undefined) {
      throw new BadRequest('by is position: expected a campaign too');
    }
    const report = await reports.report({ by, ...selection });
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
      const { by, selection, report } = await read(request.query);
      return respond(request, reply, asJson(by, selection, report), () =>
        rowsPage(by, selection, report),
      );
    },
  );
  app.get(
    '/rows.csv',
    {
      schema: {
        summary: 'The rows of one breakdown as CSV',
        querystring: RowsQuery,
        response: {
          200: {
            description: 'A line of names, and one line for each row.',
            content: { 'text/csv': { schema: Type.String() } },
          },
          400: Problem,
          503: Problem,
        },
      },
    },
    async (request, reply) => {
      const { by, selection, report } = await read(request.query);
      const file = `clickmilter-${by}-${selection.since}-${selection.until}.csv`;
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${file}"`)
        .send(reportCsv(by, report));
    },
  );
};

function asJson(by: ReportBy, selection: Selection, { rows, total, unreadable }: Report): Rows {
  return {
    by,
    ...selection,
    rows: rows.map((row) => ({ key: row.key, ...numbersOf(row) })),
    total: numbersOf(total),
    unreadable,
  };
}

/** Breakdowns whose rows stay in the order of their keys. */
const IN_ORDER: readonly ReportBy[] = ['day', 'hour', 'position'];

function rowsPage(by: ReportBy, selection: Selection, { rows, total, unreadable }: Report): Html {
  const sorted = IN_ORDER.includes(by)
    ? rows
    : [...rows].sort((a, b) => b.peopleClicks - a.peopleClicks || b.clicks - a.clicks);
  const hasMessages = total.messages !== undefined;
  const line = (name: Html, row: Report['total']) =>
    html`<tr><th scope="row">${name}</th>${hasMessages && html`<td>${shownCount(row.messages ?? 0)}</td><td>${shownCount(row.links ?? 0)}</td>`}<td>${shownCount(row.peopleClicks)}</td><td>${shownCount(row.peopleUniqueClicks)}</td>${hasMessages && html`<td>${shownShare(shareOf(row.peopleUniqueClicks, row.messages ?? 0))}</td>`}<td>${shownCount(row.clicks)}</td><td>${shownShare(shareOf(row.automaticClicks, row.clicks))}</td></tr>`;
  const others = REPORT_BY.filter(
    (other) => other !== 'position' || selection.campaign !== undefined,
  ).map((other) =>
    other === by
      ? html`<li aria-current="true">${other}</li>`
      : html`<li><a href="${addressOf('/rows', { by: other, ...selection })}">${other}</a></li>`,
  );
  return page({
    title: `Rows by ${by}`,
    path: '/rows',
    selection,
    keep: { by },
    content: html`<nav aria-label="Breakdowns"><ul>${others}</ul></nav>
<p><a href="${addressOf('/rows.csv', { by, ...selection })}" download>CSV of this table</a></p>
${unreadable > 0 && html`<p role="alert">${shownCount(unreadable)} counts are left out: they cannot be read.</p>`}
<table>
<thead><tr><th scope="col">${by}</th>${hasMessages && html`<th scope="col">Messages</th><th scope="col">Links</th>`}<th scope="col">People’s clicks</th><th scope="col">People who clicked</th>${hasMessages && html`<th scope="col">Rate</th>`}<th scope="col">All clicks</th><th scope="col">Automatic</th></tr></thead>
<tbody>${sorted.map((row) => line(shownName(row.key), row))}</tbody>
<tfoot>${line(html`Total`, total)}</tfoot>
</table>`,
  });
}
