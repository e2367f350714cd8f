import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { ReportBy } from '../store/counters.ts';
import { readLife } from '../store/engagement.ts';
import type { Previews } from '../store/store.ts';
import { ClickMap, clickMapSection, NotShown, readClickMap } from './click-map.ts';
import { csvOf } from './csv.ts';
import { addressOf, Filters, type Selection, selectionOf } from './filters.ts';
import { type Html, html } from './html.ts';
import type { KnownNames } from './known-names.ts';
import { type Frame, page } from './layout.ts';
import { nothingCounted } from './nothing-counted.ts';
import { countLink, shareLink, shareOf } from './numbers.ts';
import { answers, CSV_ANSWERS, frameOf, respond, sendCsv } from './respond.ts';
import { rowName } from './row-name.ts';
import { Row } from './schemas.ts';
import type { ShownReports } from './shown-reports.ts';
import { SinceFirst, sinceFirst } from './since-first.ts';
import {
  clickColumns,
  figuresOf,
  mostClicked,
  readSummary,
  Summary,
  timelines,
} from './summary.ts';
import { type Column, plot, table } from './table.ts';

/** Rows of each list: the whole of it is at /rows. */
const MOST_ROWS = 20;

const CampaignQuery = Type.Object(
  {
    since: Filters.since,
    until: Filters.until,
    campaign: Type.String({ minLength: 1, maxLength: 4096, description: 'The campaign.' }),
  },
  { additionalProperties: false },
);

const ranked = (what: string) =>
  Type.Array(Row, { description: `The ${MOST_ROWS} ${what} that people clicked most.` });

const Campaign = Type.Object({
  ...Summary,
  began: Type.Optional(
    Type.String({
      description: 'UTC hour of the first message, or its day where hours are not kept any more.',
    }),
  ),
  since_first: Type.Array(SinceFirst, {
    description: 'Clicks since the first message of the campaign, whatever the period.',
  }),
  links: ranked('links'),
  positions: ranked('places of links'),
  parts: Type.Array(Row),
  domains: Type.Optional(ranked("recipients' domains; not with `detail = none`")),
  click_map: ClickMap,
});
type Campaign = Static<typeof Campaign>;

/** The tables of the page that are not a breakdown of reports: their columns as CSV, and their rows. */
const TABLES = {
  since_first: { columns: SinceFirst, rows: (campaign: Campaign) => campaign.since_first },
  not_shown: { columns: NotShown, rows: (campaign: Campaign) => campaign.click_map.not_shown },
} as const;
const TABLE_NAMES = Object.keys(TABLES) as (keyof typeof TABLES)[];

const CsvQuery = Type.Object(
  {
    table: Type.Enum(TABLE_NAMES, {
      description:
        '`since_first`: clicks since the first message; `not_shown`: clicked links that the click map does not show. `/rows.csv` has the others.',
    }),
    ...CampaignQuery.properties,
  },
  { additionalProperties: false },
);

interface CampaignSource {
  readonly reports: ShownReports;
  readonly previews: Previews;
}

/** `/campaign` and `/campaign.csv`: what was sent and clicked in one campaign. */
export const campaignView: FastifyPluginAsyncTypebox<
  CampaignSource & { readonly names: KnownNames }
> = async (app, { names, ...source }) => {
  app.get(
    '/campaign',
    {
      schema: {
        summary: 'What was sent and clicked in one campaign',
        querystring: CampaignQuery,
        response: answers('Figures, series, links, parts and domains.', Campaign),
      },
    },
    async (request, reply) => {
      const selection = selectionOf(request.query);
      const campaign = await readCampaign(source, selection);
      return respond(
        request,
        reply,
        () => campaign,
        async () =>
          campaignPage(selection, campaign, await frameOf(request, names), source.reports.note),
      );
    },
  );
  app.get(
    '/campaign.csv',
    {
      schema: {
        summary: 'A table of one campaign as CSV',
        querystring: CsvQuery,
        response: CSV_ANSWERS,
      },
    },
    async (request, reply) => {
      const { table, ...query } = request.query;
      const { columns, rows } = TABLES[table];
      const campaign = await readCampaign(source, selectionOf(query));
      const csv = csvOf(Object.keys(columns.properties), rows(campaign));
      return sendCsv(reply, table, csv);
    },
  );
};

async function readCampaign(
  { reports, previews }: CampaignSource,
  selection: Selection,
): Promise<Campaign> {
  const { campaign = '' } = selection;
  const areDomainsShown = reports.shows('domain');
  const [{ summary, lists }, life] = await Promise.all([
    readSummary(reports, selection, selection, [
      'link',
      'position',
      'part',
      ...(areDomainsShown ? (['domain'] as const) : []),
    ]),
    readLife(reports, campaign),
  ]);
  return {
    ...summary,
    ...(life && { began: life.began }),
    since_first: sinceFirst(life?.ages ?? []),
    links: mostClicked(lists.link, MOST_ROWS),
    positions: mostClicked(lists.position, MOST_ROWS),
    parts: mostClicked(lists.part, MOST_ROWS),
    ...(areDomainsShown && { domains: mostClicked(lists.domain, MOST_ROWS) }),
    click_map: await readClickMap(previews, selection.campaign ?? '', lists.position),
  };
}

function campaignPage(selection: Selection, campaign: Campaign, frame: Frame, note?: Html): Html {
  const { campaign: title = '' } = selection;
  const clicks = campaign.days.reduce((sum, row) => sum + row.people_clicked, 0);
  const list = (by: ReportBy): List => {
    const all = addressOf('/rows', { by, ...selection });
    return {
      all,
      name: ({ key }) => rowName(by, key, selection),
      csv: addressOf('/rows.csv', { by, ...selection }),
      columns: [...clickColumns<Row>(() => all), shareColumn(clicks, all)],
    };
  };
  const { columns, name: place, ...places } = list('position');
  return page({
    ...frame,
    title: `Campaign ${title}`,
    path: '/campaign',
    selection,
    narrowing: ['campaign'],
    needsName: true,
    content: html`${figuresOf(selection, campaign)}
${campaign.days.length === 0 && nothingCounted(selection, campaign.began)}
${sincePlot(selection, campaign)}
${timelines(selection, campaign)}
${clickMapSection(selection, campaign.click_map)}
${rankedPlot('Links', 'Link', campaign.links, list('link'))}
${
  campaign.positions.length > 0 &&
  html`<section><h2>Places of links</h2>
${table({
  label: 'Places of links',
  columns: [{ title: 'Part, place and link', cell: place }, ...columns],
  rows: campaign.positions,
  ...places,
})}</section>`
}
${rankedPlot('Parts', 'Part', campaign.parts, list('part'))}
${rankedPlot('Recipients’ domains', 'Domain', campaign.domains ?? [], list('domain'))}
${note}`,
  });
}

/** The common part of the lists of a campaign. */
interface List {
  readonly all: string;
  readonly csv: string;
  /** The name of a row. */
  readonly name: (row: Row) => Html;
  readonly columns: readonly Column<Row>[];
}

/** The share of a row in all clicks of people. */
function shareColumn(clicks: number, rows: string): Column<{ readonly people_clicked: number }> {
  return {
    title: 'Share of people’s clicks',
    cell: (row) => shareLink(shareOf(row.people_clicked, clicks), rows),
  };
}

/** Messages of a row, where they are counted, and the share of them that people clicked. */
function sentColumns(rows: string): readonly Column<Row>[] {
  return [
    { title: 'Messages', cell: (row) => countLink(row.messages ?? 0, rows) },
    {
      title: 'Rate',
      cell: (row) => shareLink(shareOf(row.people_unique_clicked, row.messages ?? 0), rows),
    },
  ];
}

function rankedPlot(
  label: string,
  title: string,
  rows: readonly Row[],
  { columns, name: cell, ...addresses }: List,
): Html | false {
  if (rows.length === 0) return false;
  const sent = rows.some(({ messages }) => messages !== undefined)
    ? sentColumns(addresses.all)
    : [];
  return plot({
    kind: 'bars',
    label,
    columns: [{ title, cell }, ...columns, ...sent],
    rows,
    ...addresses,
  });
}

function sincePlot(selection: Selection, { began, since_first: rows }: Campaign): Html | false {
  const last = rows.at(-1);
  if (last === undefined) return false;
  const { campaign } = selection;
  const hours = addressOf('/rows', { by: 'hour', campaign, since: began?.slice(0, 10) });
  return plot({
    kind: 'log-hours',
    label: 'Clicks since the first message',
    columns: [
      {
        title: 'Time since the first message',
        cell: ({ hours }) => html`<data value="${hours}">${shownHours(hours)}</data>`,
      },
      ...clickColumns<SinceFirst>(() => hours, ' until then'),
      shareColumn(last.people_clicked, hours),
    ],
    rows,
    all: hours,
    csv: addressOf('/campaign.csv', { table: 'since_first', ...selection }),
  });
}

function shownHours(hours: number): string {
  return hours % 24 === 0 ? `${hours / 24} d` : `${hours} h`;
}
