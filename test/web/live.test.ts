import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Detail } from '../../src/lib/logger.ts';
import { StoreUnavailable } from '../../src/link/link-store.ts';
import type { MessageFacts } from '../../src/link/message-facts.ts';
import { LoginToken } from '../../src/web/login-token.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { openWeb } from '../helpers/web.ts';

const HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>\u202e';

async function append(web: Awaited<ReturnType<typeof openWeb>>, ...ids: readonly string[]) {
  const appender = await web.store.events.openAppender();
  const facts = { subject: HOSTILE, campaignId: HOSTILE, pathway: HOSTILE };
  const click = exampleClick({ userAgent: HOSTILE }, facts, { name: HOSTILE });
  await appender.append(ids.map((id) => JSON.stringify(toClickEvent(click, {}, id))));
  await appender.close();
}

test('the page and its JSON have the last clicks, the newest first', async () => {
  const web = await openWeb();
  const { body: empty } = await web.get('/live');
  expect(empty).toContain('No clicks yet.');
  await append(web, 'a', 'b', 'c');
  await expect
    .poll(() => web.json('/live?last=2'))
    .toMatchObject({
      status: 200,
      body: { is_away: false, clicks: [{ event_id: 'c' }, { event_id: 'b' }] },
    });
  const page = (await web.get('/live?last=2')).body;
  expect([...page.matchAll(/<tr data-row="(.)">/g)].map(([, id]) => id)).toEqual(['c', 'b']);
  for (const last of ['0', '201', 'x', '-1']) {
    expect((await web.json(`/live?last=${last}`)).status).toBe(400);
  }
});

test('what strangers wrote is text in the page', async () => {
  const web = await openWeb();
  await append(web, 'a', '<b>"');
  const { body } = await web.get('/live');
  expect(body).toContain('&lt;script&gt;');
  expect(body).not.toMatch(/<img|<script>|<b>/);
});

/** Appends clicks with these campaigns, pathways and tags; their ids are their numbers. */
async function appendOf(
  web: Awaited<ReturnType<typeof openWeb>>,
  ...all: readonly Partial<MessageFacts>[]
) {
  const none = { campaignId: undefined, pathway: undefined, tags: undefined } as const;
  const appender = await web.store.events.openAppender();
  await appender.append(
    all.map((facts, n) =>
      JSON.stringify(toClickEvent(exampleClick({}, { ...none, ...facts }), {}, `${n}`)),
    ),
  );
  await appender.close();
}

describe('filters', () => {
  const CLICKS = [
    { campaignId: 'spring', pathway: 'news', tags: ['a', 'b'] },
    { campaignId: 'autumn', pathway: 'news' },
    { pathway: 'other', tags: ['b', 'spring'] },
    {},
  ];

  test.each([
    ['campaign=spring', ['0']],
    ['campaign=news', []],
    ['pathway=news', ['1', '0']],
    ['tag=b', ['2', '0']],
    ['campaign=&pathway=other&tag=', ['2']],
    ['tag=a&pathway=news&campaign=spring', ['0']],
    ['pathway=other&tag=b', ['2']],
    ['campaign=autumn&tag=a', []],
    ['pathway=news&last=1', ['1']],
    ['', ['3', '2', '1', '0']],
  ])('%s', async (query, ids) => {
    const web = await openWeb();
    await appendOf(web, ...CLICKS);
    const { body } = await web.json(`/live?${query}`);
    expect(body.clicks.map(({ event_id: id }: { event_id: string }) => id)).toEqual(ids);
    const page = (await web.get(`/live?${query}`)).body;
    expect([...page.matchAll(/<tr data-row="(.)">/g)].map(([, id]) => id)).toEqual(ids);
    expect(page.includes('among the last 200')).toBe(ids.length === 0);
    const csv = (await web.get(`/live.csv?${query}`)).body;
    expect(csv.match(/^\d(?=,)/gm) ?? []).toEqual(ids);
    if (!query.includes('last')) {
      const sent = await firstEvents(web, `?${query}`, ids.length === 0 ? 'state' : 'clicks');
      const came = [...sent.matchAll(/"event_id":"(.)"/g)].map(([, id]) => id);
      expect(came).toEqual([...ids].reverse());
    }
  });

  test('the form has no days, and keeps what is asked for', async () => {
    const web = await openWeb();
    const { body } = await web.get('/live?pathway=%3Cnews%3E&last=7');
    expect(body).toContain('name="pathway" value="&lt;news&gt;"');
    expect(body).toContain('type="hidden" name="last" value="7"');
    expect(body).not.toContain('type="date"');
    const addresses = ['data-events="/live/events', 'href="/live', 'href="/live.csv'];
    for (const address of addresses) expect(body).toContain(`${address}?pathway=%3Cnews%3E`);
  });

  test('views of counts have one at a time, and Live has no days', async () => {
    const web = await openWeb();
    for (const view of ['/rows?by=day', '/rows.csv?by=day', '/']) {
      expect(await web.json(`${view}${view.includes('?') ? '&' : '?'}campaign=x&tag=y`)).toEqual({
        status: 400,
        body: { error: 'nothing is counted by campaign and tag together: expected one of them' },
      });
    }
    expect((await web.json('/live?since=2026-01-01')).status).toBe(400);
  });

  test.each(['none', 'domain'] as const)('no tag tells who clicked, %s', async (detail) => {
    const web = await openWeb({ messages: { detail: (): Detail => detail } });
    await appendOf(web, ...CLICKS);
    expect((await web.get('/live')).body).not.toContain('name="tag"');
    for (const view of ['/live', '/live.csv', '/live/events']) {
      const { status, body } = await web.json(`${view}?tag=b`);
      expect([status, body.error]).toEqual([400, expect.stringContaining('hides the tags')]);
    }
    expect((await web.json('/live?pathway=news')).body.clicks).toHaveLength(2);
  });
});

test('no name is a formula where a spreadsheet opens the CSV', async () => {
  const web = await openWeb();
  await appendOf(web, { campaignId: '=HYPERLINK("https://evil.example")', pathway: '+1' });
  const { body } = await web.get('/live.csv');
  expect(body).toContain(`,"'=HYPERLINK(""https://evil.example"")",'+1,`);
});

test('CSV is refused while the store is away, as no rows would say that nobody clicked', async () => {
  const away = () => Promise.reject(new StoreUnavailable('away'));
  const events = {
    recent: away,
    openReader: () => ({ next: away, skipped: 0, close: async () => {} }),
  };
  const { json } = await openWeb({ events });
  expect(await json('/live')).toMatchObject({ status: 200, body: { is_away: true, clicks: [] } });
  expect(await json('/live.csv')).toMatchObject({ status: 503 });
});

test('links without a name are called the same as in Message', async () => {
  const web = await openWeb();
  await appendOf(web, {});
  const page = (await web.get('/live')).body;
  expect(page).toContain('<i>no name</i>');
  const csv = (await web.get('/live.csv')).body;
  const json = JSON.stringify((await web.json('/live')).body);
  for (const text of [page, csv, json]) expect(text).not.toContain('Raw URL');
});

const PERSONAL = [/anna\.smith@example\.org/i, /203\.0\.113\.77/, /onerror/, /offer\?id=1/];

test.each([
  ['none', false, false],
  ['domain', false, true],
  ['full', true, true],
] as const)('with detail = %s', async (detail, hasPeople, hasDomains) => {
  const web = await openWeb({ messages: { detail: (): Detail => detail } });
  const appender = await web.store.events.openAppender();
  const click = exampleClick({ userAgent: HOSTILE }, { subject: 'x' });
  await appender.append([JSON.stringify(toClickEvent(click, {}, 'a'))]);
  await appender.close();
  const json = JSON.stringify((await web.json('/live')).body);
  const [page, csv] = [await web.get('/live'), await web.get('/live.csv')];
  for (const text of [page.body, csv.body, json, await firstEvents(web)]) {
    for (const personal of PERSONAL)
      expect.soft(personal.test(text), `${personal}`).toBe(hasPeople);
    expect(/example\.org[<",]/i.test(text)).toBe(hasDomains);
  }
});

/** What a viewer gets first, over a real connection. */
async function firstEvents(
  web: Awaited<ReturnType<typeof openWeb>>,
  query = '',
  until: 'clicks' | 'state' = 'clicks',
): Promise<string> {
  const url = await serve(web);
  const gone = new AbortController();
  const { body } = await fetch(`${url}/live/events${query}`, { signal: gone.signal });
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes(`event: ${until}`)) break;
  }
  gone.abort();
  return text;
}

async function serve(web: Awaited<ReturnType<typeof openWeb>>): Promise<string> {
  const server = createServer();
  web.attach(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${await listenLocally(server)}`;
}

test.each(['the end of all sessions', 'a logout'])('%s ends streams', async (end) => {
  const token = '0123456789abcdef';
  const web = await openWeb({ token: new LoginToken(token) });
  const { body } = await fetch(`${await serve(web)}/live/events`);
  const reader = body?.getReader();
  await reader?.read();
  if (end === 'a logout') {
    const headers = { origin: 'http://localhost:8896' };
    const post = { method: 'POST', headers } as const;
    const opened = await web.send({ ...post, url: '/login', form: { token } });
    const cookie = String(opened.headers['set-cookie']).split(';')[0] ?? '';
    const page = await web.get('/login', { cookie });
    const formToken = /name="form_token" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    const form = { form_token: formToken };
    const left = await web.send({ ...post, headers: { ...headers, cookie }, url: '/logout', form });
    expect(left.statusCode).toBe(303);
  } else web.endSessions();
  await expect(
    (async () => {
      while (!(await reader?.read())?.done);
    })(),
  ).rejects.toThrow();
});

test('viewers take no room from requests, and are limited themselves', async () => {
  const web = await openWeb({ maxRequests: 1, maxViewers: 2 });
  const url = await serve(web);
  const gone = new AbortController();
  const headers = { accept: 'application/json, text/event-stream' };
  const watch = () => fetch(`${url}/live/events`, { signal: gone.signal, headers });
  const [first] = [await watch(), await watch()];
  expect(first.headers.get('content-type')).toBe('text/event-stream');
  expect(first.headers.get('content-security-policy')).toContain("default-src 'none'");
  const refused = await watch();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
  expect(await refused.json()).toEqual({ error: 'too many browsers look at Live: try again' });
  expect((await fetch(`${url}/live`)).status).toBe(200);
  gone.abort();
  await expect
    .poll(async () => {
      const again = await fetch(`${url}/live/events`);
      await again.body?.cancel();
      return again.status;
    })
    .toBe(200);
});
