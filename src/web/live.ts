import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { Detail } from '../lib/logger.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import type { ReportFilter } from '../store/counters.ts';
import { csvOf } from './csv.ts';
import { BadRequest } from './errors.ts';
import {
  addressOf,
  NARROWING,
  NameFilters,
  namesIn,
  narrowingOf,
  SelectedName,
} from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import type { KnownNames } from './known-names.ts';
import { type Frame, page } from './layout.ts';
import { linkCell } from './link-cell.ts';
import { LIVE_FIELDS, LiveClick } from './live-click.ts';
import { LiveFeed, type LiveFeedOptions, RING } from './live-feed.ts';
import { answers, CSV_ANSWERS, frameOf, refuse, respond, sendCsv } from './respond.ts';
import { type Column, type RowOptions, table, tableRow } from './table.ts';

/** Rows of the page, and clicks in JSON and CSV, unless the query says otherwise. */
const DEFAULT_ROWS = 50;

const LiveQuery = Type.Object(
  {
    ...NameFilters,
    last: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$',
        description: `How many clicks, from 1 to ${RING}; default: ${DEFAULT_ROWS}.`,
      }),
    ),
  },
  { additionalProperties: false },
);
type LiveQuery = Static<typeof LiveQuery>;

const EventsQuery = Type.Object(NameFilters, { additionalProperties: false });

const Live = Type.Object({
  ...SelectedName,
  clicks: Type.Array(LiveClick, { description: 'The last clicks, the newest first.' }),
  is_away: Type.Boolean({ description: 'Whether the store cannot be read now.' }),
});
type Live = Static<typeof Live>;

/** A stream of events is open as long as somebody looks, so it is not a request in progress. */
export const EVENTS_PATH = '/live/events';

/** Opens the feed of the view: nothing is read before somebody looks. */
export function createLiveFeed(options: Omit<LiveFeedOptions, 'rowOf'>): LiveFeed {
  return new LiveFeed({
    ...options,
    rowOf: (click) => tableRow(click, rowOptions(options.detail())).toString(),
  });
}

/** `/live` and `/live.csv`, the last clicks, and `/live/events`, the clicks as they come. */
export const liveView: FastifyPluginAsyncTypebox<{
  readonly feed: LiveFeed;
  readonly detail: () => Detail;
  readonly names: KnownNames;
}> = async (app, { feed, detail, names }) => {
  app.addHook('preClose', () => feed.close());
  const read = async (query: LiveQuery): Promise<Live> => {
    const filter = filterOf(query, detail());
    const { clicks, isAway } = await feed.state(filter, Number(query.last ?? DEFAULT_ROWS));
    return { ...filter, clicks: [...clicks].reverse(), is_away: isAway };
  };
  app.get(
    '/live',
    {
      schema: {
        summary: 'The last clicks',
        querystring: LiveQuery,
        response: answers('The last clicks, the newest first.', Live),
      },
    },
    async (request, reply) => {
      const live = await read(request.query);
      return respond(
        request,
        reply,
        () => live,
        async () => livePage(request.query, live, detail(), await frameOf(request, names)),
      );
    },
  );
  app.get(
    '/live.csv',
    {
      schema: {
        summary: 'The last clicks as CSV',
        querystring: LiveQuery,
        response: CSV_ANSWERS,
      },
    },
    async (request, reply) => {
      const { clicks, is_away: isAway } = await read(request.query);
      if (isAway) throw new StoreUnavailable('the store is away: its clicks cannot be read now');
      return sendCsv(reply, 'live', csvOf(LIVE_FIELDS[detail()], clicks));
    },
  );
  app.get(
    EVENTS_PATH,
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'The clicks as they come: server-sent events',
        description:
          'An event `clicks` has the clicks of a moment, and those of before that turned out to be ' +
          'automatic (`changed`); an event `state` says whether the store is away.',
        querystring: EventsQuery,
        response: {
          200: {
            description: 'Events.',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
        },
      },
    },
    async (request, reply) => {
      const { raw } = reply;
      const filter = filterOf(request.query, detail());
      const seen = request.headers['last-event-id'];
      // A viewer that has gone is written to once more, at most.
      raw.on('error', () => {});
      const leaving = feed.watch(raw, filter, String(seen ?? ''), () => {
        reply.hijack();
        const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
        raw.writeHead(200, { ...reply.getHeaders(), ...headers } as Record<string, string>);
        raw.flushHeaders();
      });
      raw.once('close', async () => (await leaving)?.());
      if (reply.sent) return reply;
      reply.header('retry-after', '10');
      return refuse(request, reply, 503, 'too many browsers look at Live: try again');
    },
  );
};

/** @throws BadRequest for a filter by what is not shown */
function filterOf(query: LiveQuery, detail: Detail): ReportFilter {
  const filter = narrowingOf(query);
  if (filter.tag !== undefined && detail !== 'full') {
    throw new BadRequest(
      `tag: log { detail = ${detail} } hides the tags of single clicks: expected a campaign or pathway`,
    );
  }
  return filter;
}

/** A sentence about each `log { detail }`: how much of clicks it shows. */
const SHOWS: Readonly<Record<Detail, string>> = {
  none: 'neither targets nor anything about people',
  domain: 'the hosts of targets and the domains of recipients, and nothing else about people',
  full: 'targets, recipients, addresses of clients and their browsers',
};

function livePage({ last }: LiveQuery, live: Live, detail: Detail, frame: Frame): Html {
  const { clicks, is_away: isAway, ...filter } = live;
  const narrowed = namesIn(filter);
  const none =
    narrowed.length === 0
      ? 'No clicks yet.'
      : `No clicks of this ${narrowed.join(' and ')} among the last ${RING}.`;
  return page({
    ...frame,
    title: 'Live',
    path: '/live',
    selection: filter,
    hasOneName: false,
    narrowing: detail === 'full' ? NARROWING : NARROWING.filter((name) => name !== 'tag'),
    ...(last !== undefined && { keep: { last } }),
    script: 'live.js',
    content: html`<section class="live" data-events="${addressOf(EVENTS_PATH, filter)}">
<p class="live-bar"><button type="button" class="live-pause" hidden>Pause</button>
<span class="live-status" role="status">${isAway ? 'The store is away: its clicks cannot be read now.' : 'The last clicks as of now.'}</span>
<a class="live-rate" href="${addressOf('/live', { ...filter, last: String(RING) })}" hidden></a> <a href="${addressOf('/live', { ...filter, last })}">Refresh</a></p>
<p class="unseen live-told" aria-live="polite"></p>
${clicks.length === 0 && html`<p class="live-none">${none}</p>`}
${table({
  label: 'The last clicks',
  ...rowOptions(detail),
  rows: clicks,
  csv: addressOf('/live.csv', { ...filter, last }),
})}
${narrowed.some((name) => name !== 'campaign') && html`<p class="quiet">A sealed link knows the pathway and tags of its message only where its token has room for them.</p>`}
<p class="quiet">With <code>log { detail = ${detail} }</code> this page shows ${SHOWS[detail]}.</p>
</section>`,
  });
}

/** A click as a row: the page has such rows, and its script adds them. */
function rowOptions(detail: Detail): RowOptions<LiveClick> {
  return {
    columns: [
      { title: 'Time (UTC)', cell: timeCell },
      { title: 'Who', isText: true, cell: whoCell },
      { title: 'Link', isText: true, cell: linkCellOf },
      { title: 'Campaign', isText: true, cell: campaignCell },
      { title: 'Message', isText: true, cell: messageCell },
      ...(detail === 'none' ? [] : [RECIPIENT]),
      ...(detail === 'full' ? [CLIENT] : []),
    ],
    idOf: ({ event_id: id }) => id,
    stacks: true,
  };
}

function timeCell({ timestamp }: LiveClick): Html {
  const time = new Date(Number(timestamp) * 1000).toISOString();
  return html`<time datetime="${time}">${time.slice(11, 19)}</time>`;
}

function whoCell(click: LiveClick): Html {
  const { is_automatic: isAutomatic, automation_reasons, repeat_count, message_id: find } = click;
  const [series, who] = isAutomatic ? ['automatic', 'Program'] : ['people', 'Person'];
  const reasons = automation_reasons?.join(', ') ?? '';
  const isMore = repeat_count !== undefined && repeat_count > 1;
  return html`<span class="key" data-series="${series}">${who}</span>${isMore && html` <a href="${addressOf('/message', { find })}">×${repeat_count}</a>`}${reasons !== '' && html`<br><small>${reasons}</small>`}`;
}

function linkCellOf(click: LiveClick): Html {
  const { target_link_name: name, part, link_position: position } = click;
  return linkCell({
    name,
    part,
    position,
    isUnsubscribe: click.type === 'link_unsubscribe',
    target: click.redirected_to ?? click.target_link_url ?? click.target_host,
  });
}

function campaignCell({ campaign_id: campaign }: LiveClick): Html | false {
  if (!campaign) return false;
  return html`<a href="${addressOf('/campaign', { campaign })}">${shownName(campaign)}</a>`;
}

function messageCell({ message_id: find, subject }: LiveClick): Html {
  return html`${find !== undefined && html`<a href="${addressOf('/message', { find })}"><code>${find}</code></a>`}${subject !== undefined && html`<br><small>${shownName(subject)}</small>`}`;
}

const RECIPIENT: Column<LiveClick> = {
  title: 'Recipient',
  isText: true,
  cell: ({ rcpt_to, recipient_domain }) =>
    shownName(rcpt_to ?? recipient_domain ?? '', 'not known'),
};

const CLIENT: Column<LiveClick> = {
  title: 'Client',
  isText: true,
  cell: ({ ip_address: ip, user_agent = '' }) =>
    html`${ip !== undefined && html`${shownName(ip)}<br>`}<small>${shownName(user_agent, 'no User-Agent')}</small>`,
};
