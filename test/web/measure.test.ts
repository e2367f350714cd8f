import { once } from 'node:events';
import { createServer, get as request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { exposition, ProcessMetrics } from '../../src/service/metrics.ts';
import type { Reports } from '../../src/store/counters.ts';
import { LoginToken } from '../../src/web/login-token.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { poll } from '../helpers/poll.ts';
import { openWeb } from '../helpers/web.ts';

const TOKEN = '0123456789abcdef';

/** The page on a port, and its metrics as Prometheus reads them. */
async function serve(options: { readonly reports?: Reports; readonly maxRequests?: number } = {}) {
  const metrics = new ProcessMetrics('main', '1.2.3');
  const web = await openWeb({ ...options, metrics, token: new LoginToken(TOKEN, metrics) });
  const server = createServer();
  web.attach(server);
  const port = await listenLocally(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const series = async (name: string) => {
    const { text } = await exposition([await metrics.snapshot()]);
    const lines = text.split('\n').filter((line) => line.startsWith(`clickmilter_${name}`));
    return lines.map((line) =>
      line.replace(/^clickmilter_|,?worker="main"/g, '').replace('{}', ''),
    );
  };
  return { url: `http://127.0.0.1:${port}`, series };
}

test('requests are counted by view and status, and measured by view', async () => {
  const { url, series } = await serve();
  for (const path of ['/', '/rows?by=day', '/rows?by=link', '/rows', '/x', '/y?z=1', '/%zz']) {
    await (await fetch(url + path)).text();
  }
  await expect
    .poll(() => series('web_requests_total'))
    .toEqual([
      'web_requests_total{view="/",status="200"} 1',
      'web_requests_total{view="/rows",status="200"} 2',
      'web_requests_total{view="/rows",status="400"} 1',
      'web_requests_total{view="(none)",status="404"} 2',
      'web_requests_total{view="(none)",status="400"} 1',
    ]);
  expect(await series('web_request_duration_seconds_count')).toEqual([
    'web_request_duration_seconds_count{view="/"} 1',
    'web_request_duration_seconds_count{view="/rows"} 3',
    'web_request_duration_seconds_count{view="(none)"} 3',
  ]);
});

test('refused requests, and those whose client has gone, are counted', async () => {
  let finish = () => {};
  const waiting = new Promise<never>((_, reject) => {
    finish = () => reject(new Error('enough'));
  });
  const reports = { report: () => waiting, clicksOf: () => waiting };
  const { url, series } = await serve({ reports, maxRequests: 1 });
  expect(await series('web_refused_total')).toEqual(['web_refused_total{limit="max_requests"} 0']);
  const first = request(`${url}/rows?by=day`).on('error', () => {});
  await poll('the first to be in progress', async () => {
    const { status } = await fetch(`${url}/rows?by=hour`, {
      signal: AbortSignal.timeout(200),
    }).catch(() => ({ status: 0 }));
    return status === 503;
  });
  const [refused = ''] = await series('web_refused_total');
  expect(Number(refused.split(' ')[1])).toBeGreaterThan(0);
  first.destroy();
  await expect
    .poll(() => series('web_requests_total'))
    .toContain('web_requests_total{view="/rows",status="(none)"} 1');
  finish();
});

test('failed logins are counted: those of the form, those of programs, and guesses', async () => {
  const { url, series } = await serve();
  expect(await series('web_logins_failed_total')).toEqual([
    'web_logins_failed_total{reason="wrong"} 0',
    'web_logins_failed_total{reason="too many"} 0',
  ]);
  const body = new URLSearchParams({ token: 'wrong' });
  const headers = { origin: url, 'x-real-ip': '192.0.2.1' };
  // Clients of whom only this host is known are not counted one by one.
  const asks = (authorization: string) =>
    fetch(url, { headers: { authorization, 'x-real-ip': '192.0.2.1' } });
  expect((await fetch(`${url}/login`, { method: 'POST', headers, body })).status).toBe(403);
  expect((await asks(`Bearer ${TOKEN}`)).status).toBe(200);
  for (let guess = 1; guess < 12; guess++) {
    expect((await asks(`Bearer guess-${guess}`)).status).toBe(guess < 10 ? 401 : 429);
  }
  expect(await series('web_logins_failed_total')).toEqual([
    'web_logins_failed_total{reason="wrong"} 10',
    'web_logins_failed_total{reason="too many"} 2',
  ]);
});

test('a stream of events is counted when it ends, and not measured', async () => {
  const { url, series } = await serve();
  const looking = request(`${url}/live/events`).on('error', () => {});
  await once(looking, 'response');
  expect(await series('web_requests_total')).toEqual([]);
  looking.destroy();
  await expect
    .poll(() => series('web_requests_total'))
    .toEqual(['web_requests_total{view="/live/events",status="200"} 1']);
  expect(await series('web_request_duration_seconds_count')).toEqual([]);
});
