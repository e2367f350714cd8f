import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { ReportBy } from '../store/counters.ts';
import { isNamed } from '../store/engagement.ts';
import { addressOf, FilterQuery, hoursOf, type Selection, selectionOf } from './filters.ts';
import { type Html, html } from './html.ts';
import type { KnownNames } from './known-names.ts';
import { type Frame, page } from './layout.ts';
import { nothingCounted } from './nothing-counted.ts';
import { countLink, shareLink, shareOf } from './numbers.ts';
import { answers, frameOf, respond } from './respond.ts';
import { rowName } from './row-name.ts';
import { Row } from './schemas.ts';
import type { ShownReports } from './shown-reports.ts';
import {
  clickColumns,
  figuresOf,
  mostClicked,
  readSummary,
  Summary,
  timelines,
} from './summary.ts';
import { plot, table } from './table.ts';

/** Rows of each list: the whole of it is at /rows. */
const MOST_ROWS = 10;

const Overview = Type.Object({
  ...Summary,
  campaigns: Type.Array(Row, { description: `The ${MOST_ROWS} that people clicked most.` }),
  links: Type.Array(Row, { description: `The ${MOST_ROWS} that people clicked most.` }),
});
type Overview = Static<typeof Overview>;

/** `/`: what was sent and clicked in a period, beside the one before. */
export const overviewView: FastifyPluginAsyncTypebox<{
  readonly reports: ShownReports;
  readonly names: KnownNames;
}> = async (app, { reports, names }) => {
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
      await reports.assertShown(selection);
      const overview = await readOverview(reports, selection);
      return respond(
        request,
        reply,
        () => overview,
        async () => overviewPage(selection, overview, await frameOf(request, names), reports.note),
      );
    },
  );
};

async function readOverview(reports: ShownReports, selection: Selection): Promise<Overview> {
  const { summary, lists } = await readSummary(reports, selection, hoursOf(selection), [
    'link',
    'campaign',
  ]);
  return {
    ...summary,
    campaigns: mostClicked(lists.campaign, MOST_ROWS),
    links: mostClicked(lists.link, MOST_ROWS),
  };
}

function overviewPage(selection: Selection, overview: Overview, frame: Frame, note?: Html): Html {
  return page({
    ...frame,
    title: 'Overview',
    path: '/',
    selection,
    content: html`${figuresOf(selection, overview)}
${overview.days.length === 0 && nothingCounted(selection)}
${timelines(selection, overview, hoursOf(selection))}
${overview.campaigns.length > 0 && campaigns(selection, overview)}
${overview.links.length > 0 && links(selection, overview)}
${note}`,
  });
}

function campaigns(selection: Selection, { campaigns: rows }: Overview): Html {
  const { since, until, pathway, tag } = selection;
  const all = addressOf('/rows', { by: 'campaign', ...selection });
  // A view is narrowed to one name, and to none of a row that stands for several.
  const isOfAllMail = pathway === undefined && tag === undefined;
  const at = ({ key: campaign }: Row, by: ReportBy) =>
    isOfAllMail && isNamed(campaign) ? addressOf('/rows', { by, since, until, campaign }) : all;
  return html`<section><h2>Campaigns</h2>
${table({
  label: 'Campaigns',
  columns: [
    { title: 'Campaign', cell: ({ key }) => rowName('campaign', key, selection) },
    { title: 'Messages', cell: (row) => countLink(row.messages ?? 0, at(row, 'day')) },
    {
      title: 'People who clicked',
      cell: (row) => countLink(row.people_unique_clicked, at(row, 'day')),
    },
    {
      title: 'Rate',
      cell: (row) =>
        shareLink(shareOf(row.people_unique_clicked, row.messages ?? 0), at(row, 'day')),
    },
    {
      title: 'People’s clicks',
      cell: (row) => countLink(row.people_clicked, at(row, 'link')),
    },
    {
      title: 'Automatic clicks',
      cell: (row) => countLink(row.automatic_clicked, at(row, 'link')),
    },
  ],
  rows,
  all,
  csv: addressOf('/rows.csv', { by: 'campaign', ...selection }),
})}</section>`;
}

function links(selection: Selection, { links: rows }: Overview): Html {
  const all = addressOf('/rows', { by: 'link', ...selection });
  return plot({
    kind: 'bars',
    label: 'Top links',
    columns: [
      { title: 'Link', cell: ({ key }) => rowName('link', key, selection) },
      ...clickColumns(() => all),
      { title: 'People who clicked', cell: (row) => countLink(row.people_unique_clicked, all) },
    ],
    rows,
    all,
    csv: addressOf('/rows.csv', { by: 'link', ...selection }),
  });
}
