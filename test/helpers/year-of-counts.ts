import type { Counters, ReportBy } from '../../src/store/store.ts';

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
    if (n % 20 === 0) await counters.flush();
  }
}

const campaignOf = (n: number) => `Newsletter ${n}`;

/** What a page asks for, all at once: of all mail in the last thirty days, or of one campaign in a year. */
export const VIEWS = {
  overview: (counters: Counters) =>
    readAll(counters, ['day', 'hour', 'campaign', 'link'], { since: daysAgo(30) }),
  campaign: (counters: Counters) =>
    readAll(counters, ['day', 'hour', 'position', 'link', 'part', 'domain'], {
      campaign: campaignOf(0),
    }),
} as const;

/** @returns the number of rows */
async function readAll(
  counters: Counters,
  all: readonly ReportBy[],
  query: { readonly since?: string; readonly campaign?: string },
): Promise<number> {
  const reports = await Promise.all(all.map((by) => counters.report({ ...query, by })));
  return reports.reduce((sum, { rows }) => sum + rows.length, 0);
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

/** The median time of a view, in milliseconds; the first time, which compiles and connects, is left out. */
export async function timeOf(view: () => Promise<number>, times = 9): Promise<number> {
  await view();
  const taken: number[] = [];
  for (let n = 0; n < times; n++) {
    const begun = performance.now();
    await view();
    taken.push(performance.now() - begun);
  }
  return taken.sort((a, b) => a - b)[times >> 1] ?? 0;
}
