import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { Detail } from '../../src/lib/logger.ts';
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
  expect([...page.matchAll(/<tr data-event="(.)">/g)].map(([, id]) => id)).toEqual(['c', 'b']);
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
  for (const text of [(await web.get('/live')).body, json, await firstEvents(web)]) {
    for (const personal of PERSONAL)
      expect.soft(personal.test(text), `${personal}`).toBe(hasPeople);
    expect(/example\.org[<"]/i.test(text)).toBe(hasDomains);
  }
});

/** What a viewer gets first, over a real connection. */
async function firstEvents(web: Awaited<ReturnType<typeof openWeb>>): Promise<string> {
  const url = await serve(web);
  const gone = new AbortController();
  const { body } = await fetch(`${url}/live/events`, { signal: gone.signal });
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes('event: clicks')) break;
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
  const watch = () => fetch(`${url}/live/events`, { signal: gone.signal });
  const [first] = [await watch(), await watch()];
  expect(first.headers.get('content-type')).toBe('text/event-stream');
  expect(first.headers.get('content-security-policy')).toContain("default-src 'none'");
  const refused = await watch();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
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
