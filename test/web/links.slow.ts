import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DefaultTreeAdapterMap, parse } from 'parse5';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REPORT_BY, REPORT_SCOPES } from '../../src/store/counters.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { FileReport } from '../../src/store/local/report.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { settle } from '../helpers/settle.ts';
import { openWeb, type WebAnswer } from '../helpers/web.ts';
import { exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';

// Follows every link of every view, with names of all kinds in every place.

/** As senders write them: some stand for several rows, some are no plain text. */
const NAMES = [
  'plain',
  '(other)',
  '(unknown)',
  '(none)',
  '',
  ' ',
  '__proto__',
  'constructor',
  '<script>alert(1)</script>',
  '"&amp;\'><img src=x>',
  'nul \0 and\nlines\r\n',
  'half a pair \ud83d',
  'a&campaign=b#c?d=%20+',
  '../../login',
  '\u202egnp.exe',
  'long '.repeat(200),
];
/** More than a table of a day has rows for. */
const CROWD = 5_030;
const HOUR_MS = 3_600_000;
/** When messages are sent and clicked, in hours ago: two hours of a day, and days without hours. */
const HOURS_AGO = [30, 31, 60, 20 * 24];

const ORIGIN = 'http://localhost:8896';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-crawl-'));
const files = ['named', 'crowded'].map((name) => new FileCounters({ folder: join(folder, name) }));
const named = new FileReport(join(folder, 'named'));
const crowded = new FileReport(join(folder, 'crowded'));

beforeAll(async () => {
  const now = Date.now();
  const [few, many] = files;
  for (const [index, name] of NAMES.entries()) {
    const facts = { campaign: name, pathway: name, tags: [name], recipientDomain: name };
    for (const ago of HOURS_AGO) {
      const time = now - ago * HOUR_MS;
      for (let n = 0; n < index + ago; n++) few?.sent({ ...facts, time, links: 3 });
      const click = { ...facts, time, messageId: `${index} ${ago}`, part: 'html' } as const;
      const count = 100 * index + ago;
      few?.book({ ...click, link: name, position: 1, count }, 'people');
      few?.book({ ...click, link: 'Shop', position: 0, count }, 'automatic');
    }
  }
  for (let n = 0; n < CROWD; n++) {
    const name = `rest ${n}`;
    const facts = { campaign: name, pathway: name, tags: [name], recipientDomain: name };
    const at = { time: now - 24 * HOUR_MS, messageId: name, link: name, part: 'text' } as const;
    many?.sent({ ...facts, time: at.time, links: 1 });
    many?.book({ ...facts, ...at, count: n < CROWD - 20 ? 1 : 9 }, 'people');
  }
  await Promise.all(files.map(settle));
});
afterAll(async () => {
  await Promise.all(files.map((counters) => counters.close()));
  rmSync(folder, { recursive: true });
});

const atName = (path: string, by: string, name: string) =>
  `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ [by]: name })}`;
const linksIn = (page: string) =>
  [...page.matchAll(/<a href="([^"]+)"/g)].map(([, address = '']) => decoded(address));
const decoded = (text: string) =>
  text.replaceAll('&lt;', '<').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
/** The views of names of which there are too many to look at. */
const isOfRest = (address: string) => /=rest\+\d/.test(address);

/** What holds digits that count nothing: names, times, places, answers of forms. */
const NO_COUNTS = /^(?:a|time|bdi|code|i|small|form)$/;

/** The numbers of a page that lead nowhere, by their texts. */
function numbersWithoutLink(body: string): string[] {
  const found: string[] = [];
  const walk = (node: DefaultTreeAdapterMap['node'], isCell: boolean): void => {
    if ('value' in node && isCell && /\d/.test(node.value)) found.push(node.value.trim());
    if (!('childNodes' in node)) return;
    const name = node.nodeName;
    if (NO_COUNTS.test(name)) return;
    const isOfFacts = 'attrs' in node && node.attrs.some(({ value }) => value === 'facts');
    for (const child of isOfFacts ? [] : node.childNodes) {
      walk(child, isCell || name === 'td' || name === 'dd');
    }
  };
  walk(parse(body), false);
  return found;
}

/** Where the links of earlier pages led. */
const followed = new Map<string, WebAnswer>();

/** Follows the links of a page: each leads to an answer, and each count to rows that have it. */
async function follow(web: Awaited<ReturnType<typeof openWeb>>, start: string): Promise<string[]> {
  const { statusCode, body } = await web.get(start);
  expect([start, statusCode]).toEqual([start, 200]);
  // The rows themselves are where numbers end.
  if (!start.startsWith('/rows')) expect([start, numbersWithoutLink(body)]).toEqual([start, []]);
  const addresses = [...new Set(linksIn(body))].filter((address) => !isOfRest(address));
  const counts = [...body.matchAll(/<data value="(\d+)"><a href="([^"]+)">[\d,]+<\/a>/g)];
  for (const address of addresses) {
    const isOfRows = address.startsWith('/rows?');
    const known = followed.get(address);
    const answer =
      known ?? (await web.get(address, isOfRows ? { accept: 'application/json' } : {}));
    followed.set(address, answer);
    expect([start, address, answer.statusCode]).toEqual([start, address, 200]);
    if (!isOfRows) continue;
    const { total, rows } = JSON.parse(answer.body);
    const values = new Set<unknown>([0, ...[total, ...rows].flatMap((row) => Object.values(row))]);
    const led = counts.filter(([, , to = '']) => decoded(to) === address);
    for (const [, count] of led) {
      expect(values.has(Number(count)), `${start} says ${count} of ${address}`).toBe(true);
    }
  }
  return addresses;
}

describe('every link leads somewhere, and every number to its rows', () => {
  test.each(REPORT_BY.filter((by) => by !== 'position'))('of the rows by %s', async (by) => {
    const addresses = await follow(await openWeb({ reports: named }), `/rows?by=${by}`);
    if (by !== 'campaign' && by !== 'pathway' && by !== 'tag') return;
    const names = addresses.flatMap((one) => new URL(one, ORIGIN).searchParams.get(by) ?? []);
    expect(names).toEqual(expect.arrayContaining(['plain', '"(other)"', '"(unknown)"', '(none)']));
    expect(names).not.toContain('');
  });

  const since = new Date(Date.now() - 12 * 24 * HOUR_MS).toISOString().slice(0, 10);
  // The second one has a change against the days before.
  test.each(['', `?since=${since}`, '?pathway=plain', '?campaign=plain'])(
    'of Overview %s',
    async (query) => {
      const addresses = await follow(await openWeb({ reports: named }), `/${query}`);
      expect(addresses.length).toBeGreaterThan(20);
    },
  );

  test.each(['/', '/rows?by=campaign', '/rows?by=pathway', '/rows?by=domain'])(
    'of %s with more names than it has rows',
    async (view) => {
      const web = await openWeb({ reports: crowded });
      followed.clear();
      expect((await web.get(view)).body).toContain('<th scope="row"><i>(other)</i></th>');
      await follow(web, view);
    },
  );

  test.each(NAMES.filter((name) => name !== ''))('of the views of %j', async (name) => {
    const web = await openWeb({ reports: named });
    await follow(web, atName('/campaign', 'campaign', name));
    await follow(web, atName('/rows?by=position', 'campaign', name));
    await follow(web, atName('/', 'tag', name));
    for (const by of REPORT_SCOPES) {
      const { body } = await web.json(atName('/rows?by=day', by, name));
      expect([by, body.total.people_unique_clicked]).toEqual([by, HOURS_AGO.length]);
    }
  });

  // As long as a campaign may be that a mail names.
  test.each(NAMES.filter((name) => name.length <= 64))(
    'of Message and Live of %j',
    async (name) => {
      const web = await openWeb();
      followed.clear();
      const message = exampleMessage({
        campaignId: name || undefined,
        pathway: name,
        tags: [name],
        injectionTime: Math.floor(Date.now() / 1000) - 60,
      });
      const link = { target: 'https://shop.example/', name, part: 'html' } as const;
      const issued = web.store.issuer?.issue(message);
      if (issued === undefined) throw new Error('no issuer');
      tokenOf(issued, link);
      await issued.commit();
      const { messageId } = message;
      const facts = { campaign: name, pathway: name, tags: [name], time: Date.now() };
      web.store.counters.sent({ ...facts, links: 1 });
      const click = {
        ...facts,
        messageId,
        part: 'html',
        link: name,
        position: 0,
        count: 7,
      } as const;
      web.store.counters.book(click, 'people');
      const appender = await web.store.events.openAppender();
      const event = toClickEvent(exampleClick({}, message, { ...link, name }), {}, 'a', 7);
      await appender.append([JSON.stringify(event)]);
      await appender.close();
      expect((await web.get(`/message?find=${messageId}`)).body).toMatch(/<a [^>]*>7<\/a>/);
      await follow(web, `/message?find=${messageId}`);
      const addresses = await follow(web, '/live');
      expect(addresses).toContain(`/message?find=${messageId}`);
    },
  );
});
