import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { ReportBy, ReportRow, Reports } from '../store/store.ts';
import {
  addressOf,
  FilterQuery,
  hoursOf,
  type Period,
  periodBefore,
  Selected,
  type Selection,
  selectionOf,
} from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import { page } from './layout.ts';
import { countLink, shareOf, shownCount, shownShare } from './numbers.ts';
import { plot, timeCell } from './plot.ts';
import { numbersOf } from './report-formats.ts';
import { answers, respond } from './respond.ts';
import { Row, Unreadable } from './schemas.ts';

/** Rows of each list: the whole of it is at /rows. */
const MOST_ROWS = 10;

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

const Overview = Type.Object({
  ...Selected,
  before: Type.Object({ since: Type.String(), until: Type.String() }),
  messages: figure('Messages with tracked links.'),
  people_unique_clicked: figure('Messages of which people clicked a link.'),
  rate: figure('The share of messages of which people clicked a link; null without messages.'),
  automatic_share: figure('The share of clicks that programs made; null without clicks.'),
  days: Type.Array(Row),
  hours: Type.Array(Row, { description: 'Hours are counted for 14 days.' }),
  campaigns: Type.Array(Row, { description: `The ${MOST_ROWS} that people clicked most.` }),
  links: Type.Array(Row, { description: `The ${MOST_ROWS} that people clicked most.` }),
  unreadable: Unreadable,
});
type Overview = Static<typeof Overview>;

/** `/`: what was sent and clicked in a period, beside the one before. */
export const overviewView: FastifyPluginAsyncTypebox<{ readonly reports: Reports }> = async (
  app,
  { reports },
) => {
  app.get(
    '/',
    {
      schema: {
        summary: 'What was sent and clicked',
        querystring: FilterQuery,
        response: answers('Figures, series, campaigns and links.', Overview),
      },
    },
    async (request, reply) => {
      const selection = selectionOf(request.query);
      const overview = await readOverview(reports, selection);
      return respond(request, reply, overview, () => overviewPage(selection, overview));
    },
  );
};

async function readOverview(reports: Reports, selection: Selection): Promise<Overview> {
  const read = (by: ReportBy, period: Period = selection) =>
    reports.report({ ...selection, ...period, by });
  const before = periodBefore(selection);
  const hourly = hoursOf(selection);
  const isOfCampaign = selection.campaign !== undefined;
  const [days, daysBefore, hours, campaigns, links] = await Promise.all([
    read('day'),
    read('day', before),
    hourly && read('hour', hourly),
    isOfCampaign ? undefined : read('campaign'),
    read('link'),
  ]);
  const [now, then] = [days.total, daysBefore.total];
  const compare = (value: (total: ReportRow) => number | null) => ({
    value: value(now),
    before: value(then),
  });
  const reportsRead = [days, daysBefore, hours, campaigns, links];
  return {
    ...selection,
    before,
    messages: compare(({ messages = 0 }) => messages),
    people_unique_clicked: compare((total) => total.peopleUniqueClicks),
    rate: compare(({ peopleUniqueClicks, messages = 0 }) => shareOf(peopleUniqueClicks, messages)),
    automatic_share: compare(({ automaticClicks, clicks }) => shareOf(automaticClicks, clicks)),
    days: days.rows.map(asJson),
    hours: (hours?.rows ?? []).map(asJson),
    campaigns: top(campaigns?.rows ?? []).map(asJson),
    links: top(links.rows).map(asJson),
    unreadable: reportsRead.reduce((sum, report) => sum + (report?.unreadable ?? 0), 0),
  };
}

const asJson = (row: ReportRow) => ({ key: row.key, ...numbersOf(row) });

function top(rows: readonly ReportRow[]): readonly ReportRow[] {
  const byPeople = (a: ReportRow, b: ReportRow) =>
    b.peopleUniqueClicks - a.peopleUniqueClicks || b.clicks - a.clicks;
  return [...rows].sort(byPeople).slice(0, MOST_ROWS);
}

function overviewPage(selection: Selection, overview: Overview): Html {
  const rowsAt = (by: ReportBy, more: Readonly<Record<string, string>> = {}) =>
    addressOf('/rows', { by, ...selection, ...more });
  const { messages, people_unique_clicked: people, rate, automatic_share: automatic } = overview;
  const day = ({ key }: Static<typeof Row>) => {
    const only = key.slice(0, 10);
    return { since: only, until: only };
  };
  const timeline = (kind: 'hour' | 'day', rows: Overview['days']) =>
    rows.length > 0 &&
    plot({
      kind: 'time',
      caption: `Clicks by ${kind}`,
      first: {
        title: kind === 'hour' ? 'Hour (UTC)' : 'Day (UTC)',
        cell: ({ key }) => timeCell(key),
      },
      series: [
        {
          name: 'people',
          title: 'People’s clicks',
          value: (row) => row.people_clicked,
          address: (row) => rowsAt('link', day(row)),
        },
        {
          name: 'automatic',
          title: 'Automatic clicks',
          value: (row) => row.automatic_clicked,
          address: (row) => rowsAt('link', day(row)),
        },
        {
          name: 'messages',
          title: 'Messages',
          value: (row) => row.messages ?? 0,
          address: (row) => rowsAt('campaign', day(row)),
        },
      ],
      rows,
    });
  return page({
    title: 'Overview',
    path: '/',
    selection,
    content: html`<dl class="figures">
${figureCard('Messages', messages, rowsAt('day'), 'count')}
${figureCard('People who clicked', people, rowsAt('day'), 'count')}
${figureCard('Rate', rate, rowsAt('campaign'), 'share')}
${figureCard('Automatic clicks', automatic, rowsAt('day'), 'share')}
</dl>
${overview.unreadable > 0 && html`<p role="alert">${shownCount(overview.unreadable)} counts are left out: they cannot be read.</p>`}
${timeline('hour', overview.hours)}
${timeline('day', overview.days)}
${selection.campaign === undefined && campaignTable(selection, overview, rowsAt('campaign'))}
${linkTable(overview, rowsAt('link'))}`,
  });
}

/** A figure with its change against the period before: counts in per cent, shares in points. */
function figureCard(
  title: string,
  { value, before }: Overview['rate'],
  address: string,
  kind: 'count' | 'share',
): Html {
  const shown = kind === 'share' ? shownShare(value) : shownCount(value ?? 0);
  return html`<div class="figure"><dt>${title}</dt><dd><a href="${address}"><data value="${value ?? ''}">${shown}</data></a></dd>
<dd class="change">${change(value, before, kind)}</dd></div>`;
}

function change(value: number | null, before: number | null, kind: 'count' | 'share'): string {
  const isShare = kind === 'share';
  if (value === null || before === null || (before === 0 && !isShare)) return 'nothing to compare';
  const difference = isShare ? 100 * (value - before) : (100 * (value - before)) / before;
  const sign = difference > 0 ? '+' : difference < 0 ? '−' : '±';
  return `${sign}${Math.abs(difference).toFixed(1)}${isShare ? ' points' : '%'} against the period before`;
}

function campaignTable(selection: Selection, { campaigns }: Overview, all: string): Html {
  const { since, until } = selection;
  const line = (row: Overview['campaigns'][number]) => {
    const of = { since, until, campaign: row.key || undefined };
    const rows = addressOf('/rows', { by: 'link', ...of });
    const days = addressOf('/rows', { by: 'day', ...of });
    return html`<tr><th scope="row"><a href="${addressOf('/', of)}">${shownName(row.key)}</a></th>
<td>${countLink(row.messages ?? 0, days)}</td><td>${countLink(row.people_unique_clicked, rows)}</td>
<td>${shownShare(shareOf(row.people_unique_clicked, row.messages ?? 0))}</td>
<td>${shownShare(shareOf(row.automatic_clicked, row.count_clicked))}</td></tr>`;
  };
  return html`<section><h2>Campaigns</h2><table>
<thead><tr><th scope="col">Campaign</th><th scope="col" data-series="messages">Messages</th><th scope="col" data-series="people">People who clicked</th><th scope="col">Rate</th><th scope="col" data-series="automatic">Automatic</th></tr></thead>
<tbody>${campaigns.map(line)}</tbody></table>
<p><a href="${all}">All campaigns</a></p></section>`;
}

function linkTable({ links }: Overview, all: string): Html {
  const line = (row: Overview['links'][number]) =>
    html`<tr><th scope="row">${shownName(row.key)}</th>
<td>${countLink(row.people_unique_clicked, all)}</td><td>${countLink(row.people_clicked, all)}</td>
<td>${shownShare(shareOf(row.automatic_clicked, row.count_clicked))}</td></tr>`;
  return html`<section><h2>Top links</h2><table>
<thead><tr><th scope="col">Link</th><th scope="col" data-series="people">People who clicked</th><th scope="col">People’s clicks</th><th scope="col" data-series="automatic">Automatic</th></tr></thead>
<tbody>${links.map(line)}</tbody></table>
<p><a href="${all}">All links</a></p></section>`;
}
