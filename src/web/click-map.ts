import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { StoreUnavailable } from '../link/link-store.ts';
import { type LinkPlace, parsePlace } from '../link/place.ts';
import { DRAWN_POLICY, draw, type Heat } from '../preview/draw.ts';
import { labelDigest, type Place, placesOf } from '../preview/text-runs.ts';
import type { PreviewVersion } from '../preview/versions.ts';
import type { Previews } from '../store/store.ts';
import { BadRequest, NotFound } from './errors.ts';
import { addressOf, Filters, type Selection, selectionOf } from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import { countLink, shareLink } from './numbers.ts';
import { Page, Problem } from './schemas.ts';
import type { ShownReport, ShownReports } from './shown-reports.ts';
import { table } from './table.ts';

const FrameQuery = Type.Object(
  {
    ...Filters,
    version: Type.Optional(
      Type.String({
        maxLength: 20,
        description: 'Which newsletter of the campaign; default: the last one.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** `/campaign/preview`: the newsletter of a campaign with a badge on each link, for a frame. */
export const clickMapFrame: FastifyPluginAsyncTypebox<{
  readonly reports: ShownReports;
  readonly previews: Previews;
}> = async (app, source) => {
  app.get(
    '/campaign/preview',
    {
      schema: {
        summary: 'The newsletter of a campaign, with the share of people who clicked each link',
        querystring: FrameQuery,
        response: {
          200: {
            description: 'A document without scripts and links.',
            content: { 'text/html': { schema: Page } },
          },
          404: Problem,
        },
      },
    },
    async (request, reply) => {
      const { version, ...query } = request.query;
      const selection = selectionOf(query);
      const { campaign } = selection;
      if (campaign === undefined) throw new BadRequest('campaign is missing: expected its name');
      const { versions, damaged } = await readVersions(source.previews, campaign);
      if (damaged) throw new NotFound('what is kept of this newsletter is damaged');
      const chosen =
        version === undefined ? versions[0] : versions.find(({ id }) => id === version);
      if (chosen === undefined) {
        throw new NotFound(
          'there is no preview of this newsletter: expected a scope with preview = on',
        );
      }
      const counts = new LinkCounts(await source.reports.report({ by: 'position', ...selection }));
      // A document in a sandbox has no origin, and may not be opened with an opener policy.
      reply.removeHeader('cross-origin-opener-policy');
      return reply
        .headers({ 'content-security-policy': DRAWN_POLICY, 'x-frame-options': 'SAMEORIGIN' })
        .type('text/html; charset=utf-8')
        .send(draw(chosen.skeleton, (place) => counts.heatOf(place)));
    },
  );
};

/** Clicks on links at one place, or under one label where the place is not known. */
interface Counted {
  readonly place: LinkPlace;
  /** The name of the link, else its target, as far as it is shown. */
  readonly label: string;
  people: number;
  automatic: number;
  clicks: number;
}

/** The counts of a report by position, found by the places of a skeleton. */
class LinkCounts {
  readonly all: readonly Counted[];
  readonly #byPlace = new Map<string, Counted>();
  readonly #people: number;

  constructor({ rows, total }: ShownReport) {
    this.#people = total.peopleUniqueClicks;
    for (const row of rows) {
      const place = parsePlace(row.counted ?? row.key);
      if (place === undefined) continue;
      const key = keyOf(place);
      let counted = this.#byPlace.get(key);
      if (counted === undefined) {
        const label = parsePlace(row.key)?.label ?? '';
        counted = { place, label, people: 0, automatic: 0, clicks: 0 };
        this.#byPlace.set(key, counted);
      }
      counted.people += row.peopleRawClicks;
      counted.automatic += row.automaticClicks;
      counted.clicks += row.clicks;
    }
    this.all = [...this.#byPlace.values()].sort(
      (a, b) => b.people - a.people || b.clicks - a.clicks,
    );
  }

  heatOf({ position, label }: Place): Heat {
    // Clicks on links of before, and on sealed links from the 128th on, have a label alone.
    const at = this.#byPlace.get(`html ${position}`);
    const named = label === undefined ? undefined : this.#byPlace.get(`html #${label}`);
    const found = [at, named].filter((counted) => counted !== undefined);
    const sum = (field: 'people' | 'automatic' | 'clicks') =>
      found.reduce((total, counted) => total + counted[field], 0);
    return {
      people: this.shareOf(sum('people')),
      automatic: share(sum('automatic'), sum('clicks')),
    };
  }

  /** The share of the people who clicked anything. */
  shareOf(people: number): number {
    return share(people, this.#people);
  }

  /** The links that none of these places shows. */
  notAt(places: readonly Place[]): readonly Counted[] {
    const shown = new Set(
      places.flatMap(({ position, label }) => [`html ${position}`, `html #${label}`]),
    );
    return this.all.filter(({ place }) => !shown.has(keyOf(place)));
  }
}

function keyOf({ part, position, label }: LinkPlace): string {
  return `${part} ${position ?? `#${labelDigest(label)}`}`;
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}

/** Rows of the list: the whole of it is at /rows. */
const MAX_LISTED = 50;

const time = (description: string) =>
  Type.Integer({ description: `${description}: Unix seconds.` });
/** A clicked link that the picture does not show. */
export const NotShown = Type.Object({
  part: Type.String(),
  position: Type.Optional(Type.Integer()),
  link: Type.String({ description: 'Its name, else its target as `log { detail }` allows.' }),
  people: Type.Integer({ description: 'People who clicked it.' }),
  people_share: Type.Number({ description: 'Of the people who clicked anything.' }),
  automatic_share: Type.Number({ description: 'Of the clicks on it.' }),
});

/** The click map in the answer of the view of a campaign. */
export const ClickMap = Type.Object({
  newsletters: Type.Array(
    Type.Object({
      version: Type.String(),
      first_seen: time('When its first copy was kept'),
      last_seen: time('When its last copy was kept'),
    }),
    { description: 'Newsletters that /campaign/preview draws, the last one first.' },
  ),
  damaged: Type.Boolean({ description: 'Whether they cannot be read.' }),
  not_shown: Type.Array(NotShown, {
    description: `The ${MAX_LISTED} links that most people clicked and the last newsletter does not show.`,
  }),
});
type ClickMap = Static<typeof ClickMap>;

/** @param report of the campaign by position */
export async function readClickMap(
  previews: Previews,
  campaign: string,
  report: ShownReport,
): Promise<ClickMap> {
  const { versions, damaged } = await readVersions(previews, campaign);
  const [last] = versions;
  const counts = new LinkCounts(report);
  const hidden = last === undefined ? [] : counts.notAt(placesOf(last.skeleton));
  return {
    newsletters: versions.map(({ id, since, seen }) => ({
      version: id,
      first_seen: since,
      last_seen: seen,
    })),
    damaged,
    not_shown: hidden.slice(0, MAX_LISTED).map(({ place, label, people, automatic, clicks }) => ({
      part: place.part,
      ...(place.position !== undefined && { position: place.position }),
      link: label,
      people,
      people_share: counts.shareOf(people),
      automatic_share: share(automatic, clicks),
    })),
  };
}

async function readVersions(previews: Previews, campaign: string) {
  try {
    return { versions: await previews.of(campaign), damaged: false };
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    return { versions: [] as readonly PreviewVersion[], damaged: true };
  }
}

/**
 * The section "Click map" of the view of a campaign: its newsletter in a sandboxed frame, and the
 * clicked links that the picture does not show.
 */
export function clickMapSection(selection: Selection, map: ClickMap): Html {
  return html`<section class="click-map"><h2>Click map</h2>${clickMapOf(selection, map)}</section>`;
}

function clickMapOf(
  selection: Selection,
  { newsletters, damaged, not_shown: rows }: ClickMap,
): Html {
  const [last, ...earlier] = newsletters;
  if (damaged) {
    return html`<p role="alert">The newsletter cannot be drawn: its skeleton is damaged. The next copies replace it.</p>`;
  }
  if (last === undefined) {
    return html`<p>There is no preview of this newsletter. Where a scope has <code>preview = on</code>, the second copy of a newsletter to another recipient makes one. Mail without an HTML part has none, and neither has one of more than 256 KB.</p>`;
  }
  return html`<p>A badge shows how many of the people who clicked anything clicked that link. Its hatched bar is the share of clicks that programs made. Text that differs between recipients is grey, and images are boxes.</p>
${frame(selection, last)}
${rows.length === 0 ? html`<p>The picture shows every link that was clicked.</p>` : notShown(selection, rows)}
${earlier.map((one) => html`<details><summary>Another newsletter of this campaign, last seen ${shownTime(one)}</summary>${frame(selection, one)}</details>`)}`;
}

type Newsletter = ClickMap['newsletters'][number];

function frame({ since, until, campaign }: Selection, newsletter: Newsletter): Html {
  const { version } = newsletter;
  const address = addressOf('/campaign/preview', { campaign, since, until, version });
  const title = `The newsletter, last seen ${shownTime(newsletter)}, with a badge on each link`;
  return html`<iframe sandbox loading="lazy" title="${title}" src="${address}"></iframe>`;
}

function shownTime({ last_seen: seconds }: Newsletter): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Links in the text part, in comments for Outlook, in hidden elements, in other newsletters. */
function notShown(selection: Selection, rows: ClickMap['not_shown']): Html {
  const all = addressOf('/rows', { by: 'position', ...selection });
  const csv = addressOf('/campaign.csv', { table: 'not_shown', ...selection });
  const label = 'Clicked links that the picture does not show';
  return html`<h3>${label}</h3>
${table({
  label,
  columns: [
    { title: 'Link', cell: ({ link }) => shownName(link) },
    {
      title: 'Place',
      isText: true,
      cell: ({ part, position = '' }) => html`<span class="place">${part} ${position}</span>`,
    },
    { title: 'People who clicked it', cell: ({ people }) => countLink(people, all) },
    { title: 'Of all who clicked', cell: (row) => shareLink(row.people_share, all) },
    { title: 'Automatic', cell: (row) => shareLink(row.automatic_share, all) },
  ],
  rows,
  all,
  csv,
})}`;
}
