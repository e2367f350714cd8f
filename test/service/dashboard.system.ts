import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { ask } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { type PeerProcess, requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';

// A real Prometheus reads a service to which everything the dashboard shows has happened.
let folder: string;
let redis: Redis;
let service: Service;
let prometheus: PeerProcess;
let api: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
  redis = await startRedis();
  const web = await freePort();
  writeFileSync(join(folder, 'token'), '0123456789abcdef');
  service = await startService(
    `workers = 2
     link_store = redis
     redis { url = "${redis.url}" command_timeout = 0.3 }
     events { automatic_within = 0 }
     Web_Listener { Listen "127.0.0.1:${web}" { } token_file = "${folder}/token" }
     ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "click.test" }`,
  );
  const port = await freePort();
  api = `http://127.0.0.1:${port}/api/v1`;
  const config = join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `global: { scrape_interval: 500ms }
scrape_configs: [{ job_name: mail, static_configs: [{ targets: ["127.0.0.1:${controlPort()}"] }] }]\n`,
  );
  prometheus = startPeer(requireProgram('prometheus', 'prometheus'), [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await poll('Prometheus', () =>
    fetch(`${api}/status/buildinfo`).then(
      (r) => r.ok,
      () => false,
    ),
  );
  await everythingHappens();
  // The page has a connection of its own, which was lost too.
  await poll('the page', async () => (await fetch(`http://127.0.0.1:${web}/`)).ok);
}, 90_000);
afterAll(async () => {
  await prometheus?.stop();
  await service?.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true });
});

function controlPort(): string {
  const config = readFileSync(service.configFile, 'utf8');
  return /Control_Listener \{ Listen "127\.0\.0\.1:(\d+)"/.exec(config)?.[1] ?? '';
}

async function everythingHappens(): Promise<void> {
  // First of all, since its counters go with it.
  const [worker] = execFileSync('pgrep', ['-P', String(service.pid)], { encoding: 'utf8' }).split(
    '\n',
  );
  process.kill(Number(worker), 'SIGKILL');
  await poll(
    'a successor',
    () => service.log().filter((line) => line['event'] === 'ready').length > 2,
  );
  const [tracked = ''] = /http:\/\/click\.test\/[\w-]+/.exec(await mail('text/html')) ?? [];
  await mail('multipart/signed; boundary=x');
  for (const agent of ['Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101', 'curl/8']) {
    const headers = { Host: 'click.test', 'User-Agent': agent };
    const path = new URL(tracked).pathname;
    expect((await ask({ port: service.httpPort, path, headers })).status).toBe(302);
  }
  // Counted, since Redis loses the events that wait for it.
  await poll('the clicks in the metrics', async () => {
    const metrics = await fetch(`http://127.0.0.1:${controlPort()}/metrics`);
    const counted = (await metrics.text()).match(/^clickmilter_clicks_total\{outcome="kept"/gm);
    return counted?.length === 2;
  });
  await redis.kill();
  await mail('text/html');
  await redis.start();
}

async function mail(type: string): Promise<string> {
  const client = await connectMilter({ port: service.milterPort });
  const body =
    '<a href="https://example.com/">x</a> <a data-msys-clicktrack="0" href="https://example.com/2">y</a>';
  const message = Buffer.from(`From: a@b.test\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`);
  const result = await client.send({ message });
  await client.quit();
  return result.message.toString();
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const file = new URL('../../conf/grafana-dashboard.json', import.meta.url);
const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: readonly Panel[] };
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => [title, legendFormat, expr] as const),
);

test.each(queries)('%s: %s', async (_, legend, expression) => {
  const query = expression.replaceAll('$job', '.*').replaceAll('$__rate_interval', '1m');
  const series = await poll(`an answer to ${query}`, async () => {
    const answer = await fetch(`${api}/query?query=${encodeURIComponent(query)}`);
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: readonly { metric: Record<string, string> }[] };
    };
    expect(status, error).toBe('success');
    return data.result.length > 0 && data.result;
  });
  // What the legend names is there.
  const labels = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
  for (const { metric } of series)
    expect(Object.keys(metric)).toEqual(expect.arrayContaining(labels));
});
