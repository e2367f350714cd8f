import type { Counters, ReportBy, ReportFilter, ReportQuery } from '../../src/store/counters.ts';
import { readLife } from '../../src/store/engagement.ts';
import { settle } from './settle.ts';

const DAY_MS = 86_400_000;
const DAYS = 365;
const POSITIONS = 12;

/**
 * Counts a year of campaigns, spread evenly: each is sent on one day to some domains, and clicked on four days. The first
 * campaign is the last that is sent, yesterday.
 */
export async function countYear(
  counters: Counters,
  campaigns: number,
  messages = 60,
): Promise<void> {
  const yesterday = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  for (let n = campaigns - 1; n >= 0; n--) {
    const facts = { campaign: campaignOf(n), pathway: 'news', tags: [`tag ${n % 20}`] };
    const sent = yesterday - Math.floor((n * DAYS) / campaigns) * DAY_MS;
    for (let at = 0; at < messages; at++) {
      const message = { ...facts, recipientDomain: `d${at % 20}.example` };
      const messageId = `${n}-${at}`.padStart(16, 'M');
      counters.sent({ ...message, time: sent + (at % 24) * 3_600_000, links: POSITIONS });
      const position = at % POSITIONS;
      const place = { position, part: 'html', link: `Link ${position}` } as const;
      const time = Math.min(Date.now(), sent + (at % 4) * DAY_MS + (at % 24) * 3_600_000);
      const by = at % 3 === 0 ? 'automatic' : 'people';
      if (at % 2) counters.book({ ...message, ...place, messageId, time, count: 1 }, by);
    }
    if (n % 20 === 0) await settle(counters);
  }
}

const campaignOf = (n: number) => `Newsletter ${n}`;

/** What the views of the engagement page ask for, all at once. */
export const VIEWS = {
  overview: (counters: Counters) => overview(counters, {}),
  'overview of a pathway': (counters: Counters) => overview(counters, { pathway: 'news' }),
  'overview of a tag': (counters: Counters) => overview(counters, { tag: 'tag 0' }),
  campaign: async (counters: Counters) => {
    const campaign = campaignOf(0);
    const [rows, life] = await Promise.all([
      readAll(counters, ['day', 'hour', 'position', 'link', 'part', 'domain'], { campaign }),
      readLife(counters, campaign),
    ]);
    return rows + (life?.ages.length ?? 0);
  },
} as const;

async function overview(counters: Counters, filter: ReportFilter): Promise<number> {
  const [before, now] = await Promise.all([
    readAll(counters, ['day'], { ...filter, since: daysAgo(59), until: daysAgo(30) }),
    readAll(counters, ['day', 'hour', 'campaign', 'link'], { ...filter, since: daysAgo(29) }),
  ]);
  return before + now;
}

/** @returns the number of rows */
async function readAll(
  counters: Counters,
  all: readonly ReportBy[],
  query: Omit<ReportQuery, 'by'>,
): Promise<number> {
  const reports = await Promise.all(all.map((by) => counters.report({ ...query, by })));
  return reports.reduce((sum, { rows }) => sum + rows.length, 0);
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

/** The least time of a view, in milliseconds: a busy machine adds to the others, and the first one compiles and connects. */
export async function timeOf(view: () => Promise<number>, times = 9): Promise<number> {
  await view();
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < times; n++) {
    const begun = performance.now();
    await view();
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}
