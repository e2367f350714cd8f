import { describe, expect, test } from 'vitest';
import type { Detail } from '../../src/lib/logger.ts';
import { makeSkeleton } from '../../src/preview/skeleton.ts';
import { REPORT_BY, REPORT_SCOPES } from '../../src/store/counters.ts';
import { noNumbers } from '../../src/store/counting.ts';
import { shownRows } from '../../src/web/shown-reports.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { openWeb, type WebAnswer } from '../helpers/web.ts';
import { exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';
import { skeletonOf } from '../preview/newsletter-copy.ts';

const DETAILS = ['none', 'domain', 'full'] as const satisfies readonly Detail[];

/** Words that may tell who somebody is, and what shows them: with too few messages, and with more. */
const WORDS: Readonly<Record<string, Readonly<Record<'few' | 'more', readonly Detail[]>>>> = {
  bobstarget: { few: ['full'], more: ['domain', 'full'] },
  cleostarget: { few: ['full'], more: ['domain', 'full'] },
  bobshop: { few: ['domain', 'full'], more: ['domain', 'full'] },
  bobstag: { few: ['full'], more: DETAILS },
  bobsdomain: { few: ['domain', 'full'], more: ['domain', 'full'] },
};
const MESSAGES = { few: 4, more: 5 } as const;

/** A target that a page shows with a title, because it is long. */
const targetOf = (word: string) =>
  `https://bobshop.example/?to=${word}%40x.example&${'x'.repeat(150)}`;
const FACTS = {
  campaign: 'spring',
  pathway: 'news',
  tags: ['bobstag'],
  recipientDomain: 'bobsdomain.example',
};

/** The page, where people clicked personal links, and programs clicked them more often. */
async function openPage(messages: number, detail: () => Detail) {
  const web = await openWeb({ messages: { detail } });
  const { counters, previews, events, issuer } = web.store;
  const time = Date.now();
  const book = (messageId: string, by: 'people' | 'automatic') => {
    const click = { ...FACTS, time, messageId, count: 9 } as const;
    for (const word of ['bobstarget', 'cleostarget']) {
      const link = targetOf(word);
      counters.book({ ...click, link, part: 'html', position: 7 }, by);
      counters.book({ ...click, link, part: 'text' }, by);
    }
    counters.book({ ...click, link: 'Shop', part: 'html', position: 0 }, by);
  };
  for (let n = 0; n < messages; n++) {
    counters.sent({ ...FACTS, time, links: 5 });
    // Not all of them on the same day.
    counters.sent({ ...FACTS, tags: ['often'], time: time - 86_400_000, links: 5 });
    book(`people ${n}`, 'people');
  }
  for (let n = 0; n < 20; n++) book(`programs ${n}`, 'automatic');
  await previews.add('spring', skeletonOf('<a href="link:0">Shop</a>'), 1);
  const message = exampleMessage({
    campaignId: FACTS.campaign,
    pathway: FACTS.pathway,
    tags: FACTS.tags,
    recipients: [`bobstarget@${FACTS.recipientDomain}`],
  });
  const issued = issuer?.issue(message);
  if (issued === undefined) throw new Error('no issuer');
  const link = { target: targetOf('bobstarget'), part: 'html' } as const;
  tokenOf(issued, link);
  await issued.commit();
  const appender = await events.openAppender();
  const event = toClickEvent(exampleClick({}, message, link), {}, 'a');
  await appender.append([JSON.stringify(event)]);
  await appender.close();
  return { ...web, messageId: message.messageId };
}

/** Every address that needs no name which a page would have to tell. */
function startsOf(messageId: string): string[] {
  const scopes = ['', '&campaign=spring', '&pathway=news', '&tag=often'];
  const rows = REPORT_BY.flatMap((by) =>
    scopes.flatMap((scope) => [`/rows?by=${by}${scope}`, `/rows.csv?by=${by}${scope}`]),
  );
  return [
    ...scopes.map((scope) => `/?${scope}`),
    ...rows,
    '/campaign?campaign=spring',
    '/campaign/preview?campaign=spring',
    '/campaign.csv?campaign=spring&table=not_shown',
    `/message?find=${messageId}`,
    `/message.csv?find=${messageId}&table=links`,
    ...['', '?tag=often', '?pathway=news'].flatMap((query) => [
      `/live${query}`,
      `/live.csv${query}`,
    ]),
    ...['/openapi.json', '/login', '/nothing'],
  ];
}

/** The addresses in a page, in links and frames, and where its filters lead with their names. */
function addressesIn(body: string): string[] {
  const linked = [...body.matchAll(/ (?:href|src)="(\/[^"]*)"/g)].map(
    ([, address = '']) => address,
  );
  const suggested = REPORT_SCOPES.flatMap((by) => {
    const list = new RegExp(`<datalist id="known-${by}">(.*?)</datalist>`, 's').exec(body)?.[1];
    return [...(list ?? '').matchAll(/value="([^"]*)"/g)].map(([, name = '']) => `/?${by}=${name}`);
  });
  return [...linked, ...suggested]
    .map((address) => address.replaceAll('&amp;', '&'))
    .filter((address) => !address.startsWith('/assets/'));
}

/**
 * Asks for every address as a browser and as a program, and follows every link.
 * @returns the words in answers of each type, and the links
 */
async function crawl(page: Awaited<ReturnType<typeof openPage>>) {
  const words = new Map<string, Set<string>>();
  const look = (address: string, { headers, body }: WebAnswer) => {
    const type = String(headers['content-type']).split(';')[0] ?? '';
    if (!words.has(type)) words.set(type, new Set());
    const answer = JSON.stringify(headers) + body;
    for (const word of Object.keys(WORDS)) {
      // What a reader asks for may be repeated.
      if (answer.includes(word) && !address.includes(word)) words.get(type)?.add(word);
    }
  };
  const starts = new Set(startsOf(page.messageId));
  const known = new Set(starts);
  const linked = new Set<string>();
  const refused = new Set<string>();
  for (const address of known) {
    const answer = await page.get(address);
    look(address, answer);
    if (answer.statusCode !== 200) refused.add(address);
    if (starts.has(address) && !address.includes('.csv')) {
      look(address, await page.get(address, { accept: 'application/json' }));
    }
    for (const next of addressesIn(answer.body)) {
      linked.add(next);
      known.add(next);
    }
  }
  return { words, linked, deadLinks: [...linked].filter((address) => refused.has(address)) };
}

const TYPES = ['text/html', 'application/json', 'text/csv'];

describe.each(['few', 'more'] as const)('with %s messages', (messages) => {
  test.each(DETAILS)('no answer has more than detail = %s shows', async (detail) => {
    const { words, linked, deadLinks } = await crawl(
      await openPage(MESSAGES[messages], () => detail),
    );
    const shown = Object.keys(WORDS).filter((word) => WORDS[word]?.[messages].includes(detail));
    for (const type of TYPES) expect([type, words.get(type)]).toEqual([type, new Set(shown)]);
    expect(linked.size).toBeGreaterThan(150);
    expect(deadLinks).toEqual([]);
  });
});

test('a reload holds from the next request on, for suggestions too', async () => {
  let detail: Detail = 'full';
  const { get } = await openPage(MESSAGES.few, () => detail);
  const wordsNow = async () => {
    const { body } = await get('/');
    return Object.keys(WORDS).filter((word) => body.includes(word));
  };
  expect(await wordsNow()).toEqual(['bobstarget', 'cleostarget', 'bobshop', 'bobstag']);
  detail = 'domain';
  expect(await wordsNow()).toEqual(['bobshop']);
  detail = 'none';
  expect(await wordsNow()).toEqual([]);
  detail = 'full';
  expect(await wordsNow()).toHaveLength(4);
});

describe.each(['none', 'domain'] as const)('with detail = %s', (detail) => {
  test.each([
    ['few', 400],
    ['more', 200],
  ] as const)('a view of a tag of %s messages answers %i', async (messages, status) => {
    const { get } = await openPage(MESSAGES[messages], () => detail);
    for (const view of ['/?', '/rows?by=day&', '/rows.csv?by=day&']) {
      const { statusCode, body } = await get(`${view}tag=bobstag`);
      expect([view, statusCode]).toEqual([view, status]);
      expect(body.includes('hides tags of fewer than 5 messages')).toBe(status === 400);
    }
  });

  test('hidden rows stay apart, and lead nowhere', async () => {
    let now: Detail = detail;
    const { get, json } = await openPage(MESSAGES.few, () => now);
    for (const by of ['link', 'position&campaign=spring', 'tag']) {
      now = 'full';
      const { body: whole } = await json(`/rows?by=${by}`);
      now = detail;
      const { body } = await json(`/rows?by=${by}`);
      expect(numbersIn(body.rows)).toEqual(numbersIn(whole.rows));
      expect(body.total).toEqual(whole.total);
      const keys = body.rows.map(({ key }: Keyed) => key);
      expect(keys).toEqual([...keys].sort());
    }
    const { body } = await get('/rows?by=tag');
    expect(body).toContain('<th scope="row"><i>(not shown)</i></th>');
    expect(body).toContain(`With <code>log { detail = ${detail} }</code>`);
  });
});

interface Keyed {
  readonly key: string;
}
const numbersIn = (rows: readonly Keyed[]) =>
  rows.map(({ key: _, ...numbers }) => JSON.stringify(numbers)).sort();

test('recipients’ domains are refused with detail = none, and no page leads there', async () => {
  const { get, json } = await openPage(MESSAGES.more, () => 'none');
  const sentence = 'by domain: log { detail = none } hides the domains of recipients';
  for (const address of ['/rows?by=domain', '/rows.csv?by=domain&campaign=spring']) {
    const { status, body } = await json(address);
    expect([status, body.error]).toEqual([400, expect.stringContaining(sentence)]);
    const page = await get(address);
    expect([page.statusCode, page.body]).toEqual([400, expect.stringContaining(sentence)]);
  }
  for (const address of ['/rows?by=day', '/campaign?campaign=spring']) {
    const { body } = await get(address);
    expect(body).not.toContain('by=domain');
    expect(body).toContain('targets and recipients’ domains are not shown');
  }
  expect((await json('/campaign?campaign=spring')).body).not.toHaveProperty('domains');
});

test.each([
  ['Shop', 'Shop', 'Shop'],
  ['https://shop.example/?u=1', '(not shown)', 'shop.example/…'],
  [' HTTP://bob:secret@Shop.example:8080?u=1', '(not shown)', 'shop.example:8080/…'],
  ['https://not a host/bob', '(not shown)', '(not shown)'],
  // A counted text is cut, here within the user.
  [`https://${'bob'.repeat(90)}`, '(not shown)', '(not shown)'],
  ['(other)', '(other)', '(other)'],
  ['', '', ''],
])('a link counted as %j is %j with none, and %j with domain', (counted, none, domain) => {
  for (const by of ['link', 'position'] as const) {
    const key = (label: string) => (by === 'position' ? `html 3 ${label}` : label);
    const row = (label: string) => [{ ...noNumbers(), key: key(label) }];
    const keys = DETAILS.map((detail) => shownRows(by, row(counted), detail)[0]?.key);
    expect(keys).toEqual([none, domain, counted].map(key));
  }
});

test('the click map finds the clicks on a link whose target is hidden', async () => {
  const target = targetOf('bobstarget');
  const skeleton = makeSkeleton('<a href="x">Shop</a>', () => ({ position: 3, label: target }));
  let now: Detail = 'full';
  const { store, get, json } = await openWeb({ messages: { detail: () => now } });
  await store.previews.add('news', skeleton ?? '', 1);
  const click = { time: Date.now(), campaign: 'news', messageId: 'a', part: 'html' } as const;
  store.counters.book({ ...click, link: target, count: 1 }, 'people');
  for (now of DETAILS) {
    expect((await get('/campaign/preview?campaign=news')).body).toContain('>100%');
    expect((await json('/campaign?campaign=news')).body.click_map.not_shown).toEqual([]);
  }
});
