import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { Detail } from '../lib/logger.ts';
import { addressOf } from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import { page } from './layout.ts';
import { LiveClick } from './live-click.ts';
import { LiveFeed, type LiveFeedOptions, RING } from './live-feed.ts';
import { answers, respond } from './respond.ts';

/** Rows of the page, and clicks in JSON, unless the query says otherwise. */
const DEFAULT_ROWS = 50;

const LiveQuery = Type.Object({
  last: Type.Optional(
    Type.String({
      pattern: '^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$',
      description: `How many clicks, from 1 to ${RING}; default: ${DEFAULT_ROWS}.`,
    }),
  ),
});

const Live = Type.Object({
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
    rowOf: (click) => rowOf(click, options.detail()).toString(),
  });
}

/** `/live`, the last clicks, and `/live/events`, the clicks as they come. */
export const liveView: FastifyPluginAsyncTypebox<{
  readonly feed: LiveFeed;
  readonly detail: () => Detail;
}> = async (app, { feed, detail }) => {
  app.addHook('preClose', () => feed.close());
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
      const { clicks, isAway } = await feed.state(Number(request.query.last ?? DEFAULT_ROWS));
      const live = { clicks: [...clicks].reverse(), is_away: isAway };
      return respond(request, reply, live, () => livePage(live, detail()));
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
        response: {
          200: {
            description: 'Events.',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          503: Type.String({ description: 'There are too many viewers.' }),
        },
      },
    },
    async (request, reply) => {
      const { raw } = reply;
      const seen = request.headers['last-event-id'];
      // A viewer that has gone is written to once more, at most.
      raw.on('error', () => {});
      const leaving = feed.watch(raw, seen === undefined ? undefined : String(seen), () => {
        reply.hijack();
        const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
        raw.writeHead(200, { ...reply.getHeaders(), ...headers } as Record<string, string>);
        raw.flushHeaders();
      });
      raw.once('close', async () => (await leaving)?.());
      if (reply.sent) return reply;
      return reply.code(503).header('retry-after', '10').send('too many viewers: try again\n');
    },
  );
};

/** What each `log { detail }` shows, as a sentence. */
const SHOWS: Readonly<Record<Detail, string>> = {
  none: 'neither targets nor anything about people',
  domain: 'the hosts of targets and the domains of recipients, and nothing else about people',
  full: 'targets, recipients, addresses of clients and their browsers',
};

function livePage(live: Live, detail: Detail): Html {
  const columns = [
    ...['Time (UTC)', 'Who', 'Link', 'Campaign', 'Message'],
    ...(detail === 'none' ? [] : ['Recipient']),
    ...(detail === 'full' ? ['Client'] : []),
  ];
  return page({
    title: 'Live',
    path: '/live',
    script: 'live.js',
    content: html`<section class="live">
<p class="live-bar"><button type="button" class="live-pause" hidden>Pause</button>
<span class="live-status" role="status">${live.is_away ? 'The store is away: its clicks cannot be read now.' : 'The last clicks as of now.'}</span>
<span class="live-rate"></span> <a href="/live">Refresh</a></p>
<p class="unseen live-told" aria-live="polite"></p>
${live.clicks.length === 0 && html`<p class="live-none">No clicks yet.</p>`}
<div class="table" role="region" aria-label="The last clicks" tabindex="0"><table>
<thead><tr>${columns.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${live.clicks.map((click) => rowOf(click, detail))}</tbody>
</table></div>
<p class="quiet">With <code>log { detail = ${detail} }</code> this page shows ${SHOWS[detail]}.</p>
</section>`,
  });
}

/** A click as a row: the page has such rows, and its script adds them. */
function rowOf(click: LiveClick, detail: Detail): Html {
  const time = new Date(Number(click.timestamp) * 1000).toISOString();
  const { is_automatic: isAutomatic, automation_reasons: reasons = [], message_id: id } = click;
  const count = click.repeat_count ?? 1;
  return html`<tr data-event="${click.event_id}">
<td><time datetime="${time}">${time.slice(11, 19)}</time></td>
<td><span class="key" data-series="${isAutomatic ? 'automatic' : 'people'}">${isAutomatic ? 'Program' : 'Person'}</span>${count > 1 && html` ×${count}`}${reasons.length > 0 && html`<br><small>${reasons.join(', ')}</small>`}</td>
<td>${linkCell(click)}</td>
<td>${click.campaign_id !== undefined && shownName(click.campaign_id)}</td>
<td>${id !== undefined && html`<a href="${addressOf('/message', { find: id })}"><code>${id}</code></a>`}${click.subject !== undefined && html`<br><small>${shownName(click.subject)}</small>`}</td>
${detail !== 'none' && html`<td>${shownName(click.rcpt_to ?? click.recipient_domain ?? '', 'not known')}</td>`}
${detail === 'full' && html`<td>${click.ip_address !== undefined && html`${click.ip_address}<br>`}<small>${shownName(click.user_agent ?? '', 'no User-Agent')}</small></td>`}
</tr>`;
}

function linkCell(click: LiveClick): Html {
  const { part, link_position: position, target_link_url: target, target_host: host } = click;
  const place = [part, position, click.type === 'link_unsubscribe' && 'unsubscribe'];
  const leadsTo = click.redirected_to === undefined ? target : click.redirected_to;
  return html`${shownName(click.target_link_name ?? '', 'no name')} <small class="place">${place.filter((one) => one !== undefined && one !== false).join(' ')}</small>
${(leadsTo ?? host) !== undefined && html`<br><small>${shownName(leadsTo ?? host ?? '')}</small>`}`;
}
