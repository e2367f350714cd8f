import { expect, test } from 'vitest';
import { REPORT_BY } from '../../src/store/counters.ts';
import { reportCsv } from '../../src/web/report-formats.ts';
import { openWeb } from '../helpers/web.ts';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '=HYPERLINK("http://x")',
  'nul \0 here',
  '\u202egnp.exe',
  'x'.repeat(10_000),
  '<b>'.repeat(3000),
];

async function hostile() {
  const web = await openWeb();
  const { counters } = web.store;
  for (const [index, name] of HOSTILE.entries()) {
    const facts = { campaign: name, pathway: name, tags: [name], recipientDomain: name };
    const time = Date.now();
    counters.sent({ ...facts, time, links: 1 });
    const messageId = String(index);
    const link = name;
    counters.book({ ...facts, time, messageId, link, part: 'html', count: 1 }, 'people');
  }
  return web;
}

const parameters = (by: string) =>
  by === 'position' ? `by=${by}&campaign=nul%20%00%20here` : `by=${by}`;

test.each(REPORT_BY)('names are text in the page, by %s', async (by) => {
  const { get } = await hostile();
  for (const view of [`/rows?${parameters(by)}`, '/']) {
    const { statusCode, body } = await get(view);
    expect(statusCode).toBe(200);
    expect(body).not.toMatch(/<script>|<img|<b>|\0| on\w+=['"]/);
    expect(body.length).toBeLessThan(300_000);
  }
});

test.each(REPORT_BY)('JSON and CSV have every row, by %s', async (by) => {
  const { get, json } = await hostile();
  const { status, body } = await json(`/rows?${parameters(by)}`);
  expect(status).toBe(200);
  const { rows } = await (await hostile()).store.counters.report({
    by,
    ...(by === 'position' && { campaign: 'nul \0 here' }),
  });
  expect(body.rows.map(({ key }: { key: string }) => key)).toEqual(rows.map(({ key }) => key));
  const csv = await get(`/rows.csv?${parameters(by)}`);
  expect(csv.headers['content-disposition']).toMatch(/^attachment; filename="[\w.-]+"$/);
  expect(csv.body.split('\r\n')).toHaveLength(rows.length + 2);
  expect(csv.body).not.toMatch(/\0|^=/m);
});

test.each([
  ['=1+1', "'=1+1"],
  [' \t=1+1', "' =1+1"],
  ['\uff1d1+1', "'\uff1d1+1"],
  ['a;=1+1', '"a;=1+1"'],
  ['a,"b', '"a,""b"'],
  ['a-b', 'a-b'],
])('%j is no formula in a spreadsheet', (key, cell) => {
  const none = {
    clicks: 0,
    rawClicks: 0,
    uniqueClicks: 0,
    peopleClicks: 0,
    peopleRawClicks: 0,
    peopleUniqueClicks: 0,
    automaticClicks: 0,
  };
  const row = { key, ...none };
  const lines = reportCsv('link', { rows: [row], total: row, unreadable: 0 }).split('\r\n');
  expect(lines[1]?.replace(/(,0)+$/, '')).toBe(cell);
});

test.each([
  ['/rows?by=position', 'by position: counted only of one campaign'],
  ['/rows?by=domain&tag=a', 'by domain: counted only of all mail or of one campaign'],
  ['/?campaign=a&tag=b', 'together'],
])('%s answers 400', async (address, sentence) => {
  const { json, get } = await openWeb();
  const { status, body } = await json(address);
  expect([status, body.error]).toEqual([400, expect.stringContaining(sentence)]);
  const page = await get(address);
  expect([page.statusCode, page.headers['content-type']]).toEqual([
    400,
    'text/html; charset=utf-8',
  ]);
});

test('a page has 200 rows, those with the most clicks of people first, and links to the others', async () => {
  const { get, json, store } = await openWeb();
  const [time, rows] = [Date.now(), 401];
  for (let n = 0; n < rows; n++) {
    const click = {
      time,
      messageId: `${n}`,
      link: `link ${n}`,
      part: 'html',
      count: n + 1,
    } as const;
    store.counters.book(click, 'people');
  }
  const found: string[] = [];
  const addresses = ['/rows?by=link&tag='];
  for (const address of addresses) {
    const { statusCode, body } = await get(address);
    expect(statusCode).toBe(200);
    const names = [...body.matchAll(/<bdi>(link \d+)<\/bdi>/g)].map(([, name = '']) => name);
    expect(names.length).toBeLessThanOrEqual(200);
    found.push(...names);
    const next = /<a href="([^"]+)">Next/.exec(body)?.[1];
    if (next !== undefined) addresses.push(next.replaceAll('&amp;', '&'));
  }
  expect(found).toEqual(Array.from({ length: rows }, (_, n) => `link ${rows - 1 - n}`));
  const { body } = await get('/rows?by=link&page=999');
  expect(body).toContain('Rows 401 to 401 of 401.');
  expect((await json('/rows?by=link&page=2')).body.rows).toHaveLength(rows);
  expect((await json('/rows?by=link&page=0')).status).toBe(400);
});

test('an input that is left empty is no filter', async () => {
  const { json } = await hostile();
  const { body } = await json('/rows?by=campaign&since=&until=&campaign=&pathway=&tag=');
  expect(body.rows).toHaveLength(HOSTILE.length);
});

test('rows that are missing say why', async () => {
  const { get } = await hostile();
  const note = 'Rows by hour are kept for 14 days.';
  const old = (await get('/rows?by=hour&until=2026-01-31')).body;
  expect(old).toContain('Nothing was counted by hour in these days.');
  expect(old).toContain(note);
  const today = new Date().toISOString().slice(0, 10);
  const now = (await get(`/rows?by=hour&since=${today}`)).body;
  expect(now).not.toMatch(/Nothing was counted|are kept for/);
});

test('several names lead to the view of each, and to Live', async () => {
  const { get } = await openWeb();
  const { statusCode, body } = await get('/rows?by=part&campaign=%3Ca%3E&tag=b&since=2026-01-31');
  expect(statusCode).toBe(400);
  expect(body).toContain('nothing is counted by campaign and tag together');
  const addresses = [...body.matchAll(/<li><a href="([^"]+)">(.*?)<\/a>/g)].slice(-2);
  // Parts are not counted of a tag.
  expect(addresses.map(([, address]) => address?.replaceAll('&amp;', '&'))).toEqual([
    '/rows?by=part&campaign=%3Ca%3E&since=2026-01-31',
    '/live?campaign=%3Ca%3E&tag=b',
  ]);
  for (const [, address = ''] of addresses) {
    expect((await get(address.replaceAll('&amp;', '&'))).statusCode).toBe(200);
  }
  const hidden = await openWeb({ messages: { detail: () => 'domain' } });
  expect((await hidden.get('/?pathway=a&tag=b')).body).not.toContain('/live?');
  expect((await hidden.get('/?pathway=a&tag=b')).body).toContain('href="/?tag=b"');
});

test('places of links stand in the order of the mail', async () => {
  const { get, store } = await openWeb();
  const click = { time: Date.now(), campaign: 'a', messageId: '1', count: 1 } as const;
  for (const part of ['text', 'html'] as const) {
    for (const position of [10, undefined, 2, 0]) {
      const place = position === undefined ? {} : { position };
      store.counters.book({ ...click, ...place, part, link: 'Shop' }, 'people');
    }
  }
  const { body } = await get('/rows?by=position&campaign=a');
  const names = [...body.matchAll(/<th scope="row"><bdi>([^<]*)/g)].map(([, name]) => name);
  const places = ['0', '2', '10', '-'];
  expect(names).toEqual(
    ['html', 'text'].flatMap((part) => places.map((place) => `${part} ${place} Shop`)),
  );
});
