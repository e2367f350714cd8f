import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { freePort } from '../helpers/free-port.ts';
import { type PeerProcess, requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { type Certificates, makeCertificates } from '../helpers/tls-certificates.ts';

// A real Prometheus watches a service to which everything happens that the alerts warn of. Its clock of the rules runs
// faster: minutes, and an hour and a day, are some seconds.
const shipped = new URL('../../conf/prometheus-rules.yml', import.meta.url).pathname;
const rules = readFileSync(shipped, 'utf8');
const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

let folder: string;
let redis: Redis;
let web: number;
let certificates: Certificates;
let service: Service;
let prometheus: PeerProcess;
let api: string;
const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'alerts-'));
  redis = await startRedis();
  certificates = await makeCertificates();
  web = await freePort();
  writeFileSync(join(folder, 'token'), '0123456789abcdef');
  service = await startService(
    `workers = 2
     link_store = redis
     redis { url = "${redis.url}" command_timeout = 0.3 }
     events {
       stream_max_length = 1000  journal_max_size = 64K
       webhook = "http://127.0.0.1:${await freePort()}/"  webhook_interval = 0.1  webhook_retry_for = 3
     }
     Web_Listener { Listen "127.0.0.1:${web}" { } token_file = "${folder}/token" }
     HTTP_Listener { tls_certificate = "${certificates.certificate}"  tls_key = "${certificates.key}" }
     ESMTP_Listener {
       click_tracking_enabled = on  tracking_domain = "click.test"  on_failure = seal
     }`,
  );
  const fast = rules
    .replaceAll(/for: \d+m/g, 'for: 2s')
    .replaceAll('offset 1d', 'offset 12s')
    .replaceAll('[1h]', '[6s]')
    .replaceAll(/\[\d+m\]/g, '[10s]')
    .replace('_seconds > 900', '_seconds > 0.9');
  writeFileSync(join(folder, 'rules.yml'), fast);
  const config = join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: clickmilter
    static_configs: [{ targets: ["127.0.0.1:${service.controlPort}"] }]\n`,
  );
  const port = await freePort();
  api = `http://127.0.0.1:${port}/api/v1`;
  prometheus = startPeer(requireProgram('prometheus', 'prometheus'), [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await poll('Prometheus', () => fired().catch(() => undefined));
}, 90_000);
afterAll(async () => {
  await prometheus?.stop();
  await service?.stop();
  await redis?.stop();
  rmSync(certificates.folder, { recursive: true });
  rmSync(folder, { recursive: true });
});

/** The alerts that fire, or did so. */
async function fired(): Promise<readonly string[]> {
  const query = 'max_over_time(ALERTS{alertstate="firing"}[5m])';
  const answer = await fetch(`${api}/query?query=${encodeURIComponent(query)}`);
  const { data } = (await answer.json()) as {
    data: { result: readonly { metric: { alertname: string } }[] };
  };
  return [...new Set(data.result.map(({ metric }) => metric.alertname))].sort();
}

const firing = (...names: string[]) =>
  poll(
    names.join(', '),
    async () => {
      const found = await fired();
      return names.every((name) => found.includes(name));
    },
    45_000,
  );

/** Sends a message with that many links, and returns their tracked ones. */
async function mail(links: number, type = 'text/plain'): Promise<readonly string[]> {
  const client = await connectMilter({ port: service.milterPort });
  const body = Array.from({ length: links }, (_, index) => `https://example.com/${index}\r\n`);
  const message = Buffer.from(`From: a@b.test\r\nContent-Type: ${type}\r\n\r\n${body.join('')}`);
  const result = await client.send({ message });
  await client.quit();
  return result.message.toString().match(/http:\/\/click\.test\/[\w-]+/g) ?? [];
}

function click(link: string): Promise<number | undefined> {
  const { host, pathname } = new URL(link);
  const options = { host: '127.0.0.1', port: service.httpPort, path: pathname, agent };
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, headers: { host } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    asked.once('error', reject).end();
  });
}

test('promtool takes the rules', () => {
  execFileSync(requireProgram('promtool', 'prometheus'), ['check', 'rules', shipped]);
});

describe('each alert fires', () => {
  let type = 'text/plain';
  let isOver = false;
  let traffic: Promise<void>;
  beforeAll(() => {
    traffic = (async () => {
      while (!isOver) {
        await mail(1, type).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
  });
  afterAll(async () => {
    isOver = true;
    await traffic;
  });

  test('none but that of the certificate, which ends in two days, while all is well', async () => {
    await firing('ClickmilterCertificateExpires');
    await poll('mail to be counted', async () => (await metric('clickmilter_messages_total')) > 10);
    expect(await fired()).toEqual(['ClickmilterCertificateExpires']);
  });

  test('when workers are killed', async () => {
    for (const pid of childrenOf(service.pid)) process.kill(pid, 'SIGKILL');
    await firing('ClickmilterWorkersRestart');
    await poll('their successors', () => mail(1).catch(() => undefined));
  });

  test('when nobody reads the clicks, and the webhook has no receiver', async () => {
    for (const link of await mail(900)) expect(await click(link)).toBe(302);
    await firing(
      'ClickmilterStreamNearlyFull',
      'ClickmilterEventsUndelivered',
      'ClickmilterEventsPutAside',
    );
  });

  test('when mail passes that is not tracked', async () => {
    type = 'multipart/signed; boundary=x';
    await firing('ClickmilterTrackedShareFell');
  });

  test('when somebody guesses the token of the engagement page', async () => {
    const headers = { authorization: 'Bearer a-guess' };
    for (let guess = 0; guess < 40; guess++) {
      const { status } = await fetch(`http://127.0.0.1:${web}/`, { headers });
      expect([401, 429]).toContain(status);
    }
    await firing('ClickmilterLoginsFail');
  });

  test('when Redis is away', async () => {
    await redis.kill();
    const links = await mail(200);
    expect(links).toHaveLength(200);
    await firing('ClickmilterNotReady', 'ClickmilterStoreErrors');
    // The journal fills up to its limit; then its oldest file is removed, and clicks are lost.
    let isFull = false;
    for (const link of links) {
      expect(await click(link)).toBe(302);
      isFull ||= (await metric('clickmilter_journal_bytes')) > 0.8 * 64 * 1024;
      if (isFull && !(await fired()).includes('ClickmilterJournalNearlyFull')) {
        await firing('ClickmilterJournalNearlyFull');
      }
    }
    await firing('ClickmilterClicksLost');
  });

  test('when the service has ended', async () => {
    await service.kill();
    await firing('ClickmilterDown');
    expect(await fired()).toEqual([...alerts].sort());
  });
});

async function metric(name: string): Promise<number> {
  const answer = await fetch(`${api}/query?query=sum(${name})`);
  const { data } = (await answer.json()) as {
    data: { result: readonly { value: [number, string] }[] };
  };
  return Number(data.result[0]?.value[1] ?? 0);
}

function childrenOf(pid: number): number[] {
  return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number);
}
