import { beforeEach, describe, expect, test, vi } from 'vitest';
import { timelines } from '../../src/web/summary.ts';
import { openWeb } from '../helpers/web.ts';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const DAY = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  return () => vi.useRealTimers();
});

/** Two days of two campaigns, and a message in the period before. */
async function seeded() {
  const web = await openWeb();
  const { counters } = web.store;
  const sent = (daysAgo: number, campaign: string, count = 1) => {
    for (let index = 0; index < count; index++) {
      counters.sent({ time: NOW - daysAgo * DAY, campaign, links: 2 });
    }
  };
  const click = (daysAgo: number, campaign: string, message: string, by: 'people' | 'automatic') =>
    counters.book(
      {
        time: NOW - daysAgo * DAY,
        campaign,
        messageId: message,
        link: `https://${campaign}.example/`,
        part: 'html',
        position: 0,
        count: 1,
      },
      by,
    );
  sent(0, 'spring', 3);
  sent(1, 'spring');
  sent(1, 'winter', 4);
  sent(31, 'winter', 4);
  click(0, 'spring', 'a', 'people');
  click(0, 'spring', 'a', 'people');
  click(0, 'spring', 'b', 'automatic');
  click(1, 'winter', 'c', 'people');
  click(31, 'winter', 'd', 'people');
  return web;
}

describe('the overview', () => {
  test('compares the last 30 days with those before', async () => {
    const { json } = await seeded();
    const { status, body } = await json('/');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      since: '2026-02-09',
      until: '2026-03-10',
      before: { since: '2026-01-10', until: '2026-02-08' },
      messages: { value: 8, before: 4 },
      people_unique_clicked: { value: 2, before: 1 },
      rate: { value: 0.25, before: 0.25 },
      automatic_share: { value: 0.25, before: 0 },
      unreadable: 0,
    });
    const keys = (rows: readonly { key: string }[]) => rows.map(({ key }) => key);
    expect(keys(body.days)).toEqual(['2026-03-09', '2026-03-10']);
    expect(keys(body.hours)).toEqual(['2026-03-09T12', '2026-03-10T12']);
    expect(keys(body.campaigns)).toEqual(['spring', 'winter']);
    expect(keys(body.links)).toEqual(['https://spring.example/', 'https://winter.example/']);
  });

  test('of one campaign', async () => {
    const { json } = await seeded();
    const { body } = await json('/?campaign=winter&since=2026-03-09&until=2026-03-09');
    expect(body).toMatchObject({
      campaign: 'winter',
      messages: { value: 4, before: 0 },
      people_unique_clicked: { value: 1, before: 0 },
      campaigns: [{ key: 'winter', messages: 4 }],
    });
  });

  test('of a store without counts', async () => {
    const { json, get } = await openWeb();
    expect((await json('/')).body).toMatchObject({
      messages: { value: 0, before: 0 },
      rate: { value: null, before: null },
      days: [],
    });
    const { statusCode, body } = await get('/');
    expect(statusCode).toBe(200);
    // An operator's first day.
    expect(body).toContain('Nothing was counted in these days');
    for (const step of ['clickmilter explain', 'clickmilter demo', 'href="/live"']) {
      expect(body).toContain(step);
    }
  });

  test('of a name without counts leads to those that have them', async () => {
    const { get } = await seeded();
    const { body } = await get('/?pathway=x');
    expect(body).toContain('neither mail nor a click of the pathway <bdi>x</bdi>');
    expect(body).toContain('/rows?by=pathway&amp;since=2026-02-09&amp;until=2026-03-10"');
    expect((await get('/')).body).not.toContain('Nothing was counted in these days');
  });

  test.each([
    [
      '',
      'Changes are against 2026-01-10 to 2026-02-08. Nothing was counted there before 2026-02-07.',
    ],
    ['', 'Today, 2026-03-10, is not over yet.'],
    ['?since=2026-03-10', 'Changes are against 2026-03-09. Today'],
    ['?until=2026-03-08', 'Nothing was counted in the days before, 2026-01-08 to 2026-02-06.'],
    ['?since=2025-03-01&until=2026-03-01', '2025-02-28. Counts are kept for 400 days.'],
    ['?since=2026-03-09&until=2026-03-09&campaign=autumn', 'More messages were clicked than sent'],
  ])('%s says what its changes are worth: %s', async (query, sentence) => {
    const { get, store } = await seeded();
    const click = {
      time: NOW - DAY,
      messageId: 'e',
      link: 'Shop',
      part: 'html',
      count: 1,
    } as const;
    store.counters.book({ ...click, campaign: 'autumn' }, 'people');
    const { body } = await get(`/${query}`);
    expect(/<p class="quiet">(.*?)<\/p>/s.exec(body)?.[1]).toContain(sentence);
  });

  test('says which hours it does not show', async () => {
    const { get } = await seeded();
    expect((await get('/')).body).toContain('Hours before 2026-02-25 are not shown.');
    expect((await get('/?since=2026-02-25')).body).not.toContain('are not shown.');
  });

  test('a rate without messages has what it was before, and no change is a change of nothing', async () => {
    const { get } = await seeded();
    const share = (body: string) => body.split('<dt>Rate</dt>')[1]?.split('</div>')[0];
    const { body } = await get('/?since=2026-02-27&until=2026-03-08');
    expect(share(body)).toContain('nothing before');
    const later = await get('/?since=2026-02-08&until=2026-02-08');
    expect(share(later.body)).toMatch(
      /–<\/dd>\s*<dd><data value="0.25">.*25.0%<\/a><\/data> before/,
    );
  });

  test('is a page of tables, whose numbers lead to their rows', async () => {
    const { get } = await seeded();
    const { body, headers } = await get('/', { accept: 'text/html' });
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(body).toContain('<p class="paper">2026-02-09 to 2026-03-10 (UTC) </p>');
    expect(body).toContain('<figure class="plot" data-plot="time">');
    expect(body).toContain('<time datetime="2026-03-10T12:00Z">');
    expect(body).toContain('<th scope="col" data-series="people">');
    const number = (value: number, by: string, days: string) =>
      `<data value="${value}"><a href="/rows?by=${by}&amp;${days}">${value}</a></data>`;
    const before = 'since=2026-01-10&amp;until=2026-02-08';
    expect(body).toContain(`+100.0%</a> from ${number(4, 'day', before)}`);
    const day = 'since=2026-03-10&amp;until=2026-03-10';
    expect(body).toContain(number(2, 'link', day));
    expect(body).toContain(number(3, 'hour', day));
    expect(body).not.toMatch(/<script(?! type="module" src)|<style| style="| on\w+="/);
  });

  // Hours are kept for 14 days, and no filter stands for mail without a campaign.
  test('leads from every number to rows that have it', async () => {
    const { store, get, json } = await seeded();
    for (const daysAgo of [0, 20]) {
      const time = NOW - daysAgo * DAY;
      for (let count = 0; count < 11 + daysAgo; count++) store.counters.sent({ time, links: 1 });
    }
    const { body } = await get('/');
    const numbers = [...body.matchAll(/<data value="(\d+)"><a href="([^"]+)"/g)];
    expect(numbers.length).toBeGreaterThan(50);
    for (const [, number, address = ''] of numbers) {
      const { status, body: found } = await json(address.replaceAll('&amp;', '&'));
      expect(status).toBe(200);
      const values = [found.total, ...found.rows].flatMap((row) => Object.values(row));
      expect([0, ...values], address).toContain(Number(number));
    }
  });

  test('leads from the people of a campaign to rows that add up to them', async () => {
    const { store, get, json } = await seeded();
    // Counted once as a person who clicked, and for each of two links.
    const click = { time: NOW, campaign: 'spring', messageId: 'a', part: 'html' } as const;
    store.counters.book({ ...click, link: 'Shop', position: 1, count: 1 }, 'people');
    const { body } = await get('/');
    const table = body.split('aria-label="Campaigns"')[1]?.split('</table>')[0] ?? '';
    const numbers = [...table.matchAll(/<data value="(\d+)"><a href="([^"]+)"/g)];
    // Messages, people who clicked, their clicks, and automatic clicks.
    const people = numbers.filter((_number, index) => index % 4 === 1);
    expect(people.map(([, number]) => number)).toEqual(['1', '1']);
    for (const [, number, address = ''] of people) {
      const { body: found } = await json(address.replaceAll('&amp;', '&'));
      const counts = found.rows.map((row: Record<string, number>) => row['people_unique_clicked']);
      expect(counts.reduce((sum: number, one: number) => sum + one, 0)).toBe(Number(number));
    }
  });
});

/** The timeline of hours in which nothing was counted. */
function drawnHours(period: { readonly since: string; readonly until: string }, keys: string[]) {
  const row = { count_clicked: 0, count_raw_clicked: 0, count_unique_clicked: 0 };
  const people = { people_clicked: 0, people_raw_clicked: 0, people_unique_clicked: 0 };
  const hours = keys.map((key) => {
    return { key, ...row, ...people, automatic_clicked: 0, unknown_clicked: 0 };
  });
  const figure = { value: 0, before: 0 };
  const figures = { messages: figure, people_unique_clicked: figure, rate: figure };
  const summary = { ...period, ...figures, automatic_share: figure, before: period, unreadable: 0 };
  return timelines(period, { ...summary, days: [], hours }).toString();
}

test('the hours of a day share the address of their rows, which is made once', () => {
  const made = vi.spyOn(URLSearchParams.prototype, 'toString');
  const drawn = drawnHours({ since: '2026-02-25', until: '2026-03-10' }, ['2026-02-25T00']);
  const calls = made.mock.calls.length;
  made.mockRestore();
  const rows = drawn.match(/<time /g) ?? [];
  expect(rows.length).toBeGreaterThan(13 * 24);
  expect(calls).toBeLessThan(20);
});

test('hours that an earlier release did not count are not drawn', async () => {
  const period = { since: '2026-03-09', until: '2026-03-10' };
  const drawn = drawnHours(period, ['(unknown)', '2026-03-10T11']);
  expect(drawn.match(/<time [^>]+>/g)).toEqual([
    '<time datetime="2026-03-10T11:00Z">',
    '<time datetime="2026-03-10T12:00Z">',
  ]);
});
