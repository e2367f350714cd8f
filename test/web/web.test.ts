import { describe, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../src/link/link-store.ts';
import type { Report, Reports } from '../../src/store/counters.ts';
import { seededWeb } from '../helpers/seeded-web.ts';
import { openWeb } from '../helpers/web.ts';

const failing = (error: Error): Reports => ({
  report: () => Promise.reject(error),
  clicksOf: () => Promise.reject(error),
});

describe.each(['/', '/rows?by=link', '/rows.csv?by=link'])('%s', (url) => {
  test.each([
    ['a store that is away', new StoreUnavailable('Redis is <away>'), 503, 'Redis is <away>'],
    ['a fault', new TypeError('secret detail'), 500, 'this request failed: the log says why'],
  ])('with %s', async (_name, error, status, sentence) => {
    const { get, json } = await openWeb({ reports: failing(error) });
    const page = await get(url);
    expect([page.statusCode, page.headers['content-type']]).toEqual([
      status,
      'text/html; charset=utf-8',
    ]);
    expect(page.headers['retry-after']).toBe(status === 503 ? '5' : undefined);
    expect(page.body).not.toMatch(/secret|<away>/);
    expect(await json(url)).toEqual({ status, body: { error: sentence } });
  });
});

test('no view but Live reads events', async () => {
  const { store, get, examples } = await seededWeb();
  const read = [vi.spyOn(store.events, 'openReader'), vi.spyOn(store.events, 'recent')];
  const more = [
    '/campaign/preview?campaign=spring',
    '/campaign.csv?campaign=spring&table=not_shown',
  ];
  const narrowed = ['/?pathway=news', '/?tag=a', '/rows?by=position&campaign=spring'];
  for (const url of ['/', ...Object.values(examples), ...more, ...narrowed]) {
    expect([url, (await get(url)).statusCode]).toEqual([url, 200]);
  }
  for (const one of read) expect(one).not.toHaveBeenCalled();
  await get('/live');
  for (const one of read) expect(one).toHaveBeenCalled();
});

test('more requests than may be in progress are refused at once, and only they', async () => {
  let finish = (_report: Report) => {};
  const waiting = new Promise<Report>((resolve) => {
    finish = resolve;
  });
  const { store, get } = await openWeb({
    maxRequests: 3,
    reports: { report: () => waiting, clicksOf: async () => [] },
  });
  const first = Array.from({ length: 3 }, () => get('/rows?by=day'));
  const refused = await get('/rows?by=day');
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  finish(await store.counters.report({ by: 'day' }));
  for (const answer of await Promise.all(first)) expect(answer.statusCode).toBe(200);
  expect((await get('/rows?by=day')).statusCode).toBe(200);
});

test.each([
  ['GET', '/', 200],
  ['GET', '/nothing', 404],
  ['GET', '/rows', 400],
  ['HEAD', '/', 200],
  ['POST', '/', 405],
  ['GET', `/${'x'.repeat(5000)}`, 404],
  ['GET', '/%00%zz', 400],
] as const)('%s %s has strict headers', async (method, url, status) => {
  const { send } = await openWeb();
  const { statusCode, headers } = await send({ method, url });
  expect(statusCode).toBe(status);
  expect(headers).toMatchObject({
    'content-security-policy': expect.stringMatching(/^default-src 'none'; (?!.*unsafe)/),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  });
});

test.each([
  ['/', 'GET, HEAD'],
  ['/rows.csv?by=day', 'GET, HEAD'],
  ['/assets/style.css', 'GET, HEAD'],
  ['/login', 'GET, HEAD, POST'],
  ['/message/change', 'POST'],
])('%s refuses other methods, and says which it allows', async (url, allow) => {
  const { send } = await openWeb();
  const own = { origin: 'http://localhost:8896', accept: 'application/json' };
  for (const method of ['OPTIONS', 'PUT', 'DELETE', 'PATCH', 'GET', 'POST'] as const) {
    if (allow.includes(method)) continue;
    for (const headers of [{}, own, { origin: 'https://evil.example' }]) {
      const { statusCode, headers: answer } = await send({ method, url, headers });
      expect([method, statusCode, answer['allow']]).toEqual([method, 405, allow]);
    }
  }
  const elsewhere = await send({ method: 'OPTIONS', url, headers: { host: 'evil.example' } });
  expect(elsewhere.statusCode).toBe(421);
  expect((await send({ method: 'PUT', url: '/nothing', headers: own })).statusCode).toBe(404);
});

test('a body that is too large, or of another type, is not read', async () => {
  const { send } = await openWeb();
  const post = (headers: Record<string, string>, token: string) =>
    send({
      method: 'POST',
      url: '/login',
      form: { token },
      headers: { origin: 'http://localhost:8896', ...headers },
    });
  expect((await post({}, 'x'.repeat(20_000))).statusCode).toBe(413);
  expect((await post({ 'content-type': 'text/plain' }, 'x')).statusCode).toBe(415);
  expect((await post({ 'content-type': 'multipart/form-data; boundary=x' }, 'x')).statusCode).toBe(
    415,
  );
});
