import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { freePort } from '../helpers/free-port.ts';
import { type PeerProcess, requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Service, startService } from '../helpers/service.ts';

// The examples as they are shipped, but for paths and ports, with a certificate of our own.
const example = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../conf/examples-http', name), 'utf8');

const DOMAIN = 'click.example.com';
const TARGET = 'https://example.net/a?b=c&d';
/** The reader's address, which is not that of a proxy. */
const READER = '127.0.0.2';
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'front-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A self-made certificate, told apart by its serial number. */
function makeCertificate(serial: number): { certificate: string; key: string } {
  const certificate = join(folder, `${serial}.pem`);
  const key = join(folder, `${serial}.key`);
  execFileSync(
    requireProgram('openssl', 'openssl'),
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${DOMAIN}`,
      '-addext',
      `subjectAltName=DNS:${DOMAIN}`,
      '-set_serial',
      String(serial),
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'ignore' },
  );
  return { certificate, key };
}

interface Answer {
  readonly status: number | undefined;
  readonly location: string | undefined;
  readonly serial: string;
}

/** As a browser whose DNS says that the domain is here. */
function get(
  port: number,
  path: string,
  ca: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      localAddress: READER,
      port,
      path,
      servername: DOMAIN,
      ca: readFileSync(ca),
      agent: false,
    };
    const asked = request(
      { ...options, headers: { host: DOMAIN, 'user-agent': 'test', ...headers } },
      (response) => {
        response.resume();
        const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
        resolve({
          status: response.statusCode,
          location: response.headers.location,
          serial: serialNumber,
        });
      },
    );
    asked.once('error', reject);
    asked.end();
  });
}

async function trackedPath(service: Service): Promise<string> {
  const client = await connectMilter({ port: service.milterPort });
  const message = Buffer.from(`Content-Type: text/html\r\n\r\n<a href="${TARGET}">x</a>\r\n`);
  const result = await client.send({ message });
  await client.quit();
  const [url] = /https:\/\/click\.example\.com\/[\w-]+/.exec(result.message.toString()) ?? [];
  return new URL(url ?? '').pathname;
}

const SCOPE = `ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "${DOMAIN}"  click_tracking_scheme = https }`;

describe('in front of the redirect endpoint', () => {
  let service: Service;
  let front: PeerProcess | undefined;
  beforeAll(async () => {
    service = await startService(`${SCOPE}\nHTTP_Listener { trusted_proxies = ( "127.0.0.1" ) }`);
  });
  afterAll(async () => {
    await front?.stop();
    await service.stop();
  });

  const fronts: Record<
    string,
    (https: number, http: number, tls: ReturnType<typeof makeCertificate>) => PeerProcess
  > = {
    nginx(https, http, { certificate, key }) {
      const site = example('nginx.conf')
        .replace('/etc/letsencrypt/live/click.example.com/fullchain.pem', certificate)
        .replace('/etc/letsencrypt/live/click.example.com/privkey.pem', key)
        .replace('listen 80;', `listen 127.0.0.1:${http};`)
        .replace('listen 443 ssl;', `listen 127.0.0.1:${https} ssl;`)
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${service.httpPort}`);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${folder}/${name};`,
      );
      const file = join(folder, 'nginx.conf');
      writeFileSync(
        file,
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr; events {} http { ${temporary.join(' ')} ${site} }`,
      );
      return startPeer(requireProgram('nginx', 'nginx-light'), [
        '-p',
        folder,
        '-c',
        file,
        '-e',
        'stderr',
      ]);
    },
    Caddy(https, http, { certificate, key }) {
      const site = example('Caddyfile')
        .replace(
          'click.example.com {',
          `click.example.com {\n\ttls ${certificate} ${key}\n\tbind 127.0.0.1`,
        )
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${service.httpPort}`);
      const file = join(folder, 'Caddyfile');
      writeFileSync(file, `{\n\tadmin off\n\thttp_port ${http}\n\thttps_port ${https}\n}\n${site}`);
      const home = join(folder, 'caddy');
      mkdirSync(home);
      return startPeer(
        requireProgram('caddy', 'caddy'),
        ['run', '--adapter', 'caddyfile', '--config', file],
        {
          env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
        },
      );
    },
    HAProxy(https, _http, { certificate, key }) {
      const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
      const backend = /^```haproxy\n(.*?)^```$/ms
        .exec(page)?.[1]
        ?.replace('127.0.0.1:8080', `127.0.0.1:${service.httpPort}`);
      const both = join(folder, 'haproxy.pem');
      writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(
        file,
        `defaults
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend tls
  mode http
  bind 127.0.0.1:${https} ssl crt ${both}
  default_backend clickmilter
${backend}`,
      );
      return startPeer(requireProgram('haproxy', 'haproxy'), ['-db', '-f', file]);
    },
  };

  test.each(Object.keys(fronts))(
    '%s ends TLS, keeps the Host, and tells the true client',
    async (name) => {
      const [https, http] = [await freePort(), await freePort()];
      const tls = makeCertificate(1);
      const started = fronts[name]?.(https, http, tls);
      front = started;
      const path = await trackedPath(service);
      const clicks = service.journal().length;
      const answer = await poll(`${name} to answer`, () => {
        if (started?.running === false) throw new Error(started.output());
        const lie = {
          'x-forwarded-for': '203.0.113.66',
          'x-forwarded-host': 'other.example.com',
          forwarded: 'for=203.0.113.66;host=other.example.com',
        };
        return get(https, path, tls.certificate, lie).catch(() => undefined);
      });
      expect(answer).toMatchObject({ status: 302, location: TARGET });
      const event = await poll('the click', () => service.journal()[clicks]);
      expect(event.msys.track_event).toMatchObject({ ip_address: READER, user_agent: 'test' });
      const elsewhere = { host: 'other.example.com', 'x-forwarded-host': DOMAIN };
      expect(
        (await get(https, path, tls.certificate, elsewhere).catch(() => undefined))?.status,
      ).not.toBe(302);
      await started?.stop();
    },
  );
});

test('HTTPS served by clickmilter itself, with a certificate that is renewed', async () => {
  const [first, second] = [makeCertificate(0x11), makeCertificate(0x22)];
  const live = { certificate: join(folder, 'live.pem'), key: join(folder, 'live.key') };
  copyFileSync(first.certificate, live.certificate);
  copyFileSync(first.key, live.key);
  const service = await startService(
    `${SCOPE}\nHTTP_Listener { tls_certificate = "${live.certificate}"  tls_key = "${live.key}" }`,
  );
  try {
    const path = await trackedPath(service);
    expect(await get(service.httpPort, path, first.certificate)).toEqual({
      status: 302,
      location: TARGET,
      serial: '11',
    });
    copyFileSync(second.certificate, live.certificate);
    copyFileSync(second.key, live.key);
    const ca = join(folder, 'both.pem');
    writeFileSync(
      ca,
      readFileSync(first.certificate, 'utf8') + readFileSync(second.certificate, 'utf8'),
    );
    await poll(
      'the new certificate, without a signal',
      async () => (await get(service.httpPort, path, ca)).serial === '22',
      30_000,
    );
  } finally {
    await service.stop();
  }
});
