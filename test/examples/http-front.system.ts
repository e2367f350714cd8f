import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
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
  domain = DOMAIN,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      localAddress: READER,
      port,
      path,
      servername: domain,
      ca: readFileSync(ca),
      agent: false,
    };
    const asked = request(
      { ...options, headers: { host: domain, 'user-agent': 'test', ...headers } },
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

/** Sends a message with a link, and returns where the link leads then. */
async function tracked(service: Service, sender = 'a@example.com', target = TARGET): Promise<URL> {
  const client = await connectMilter({ port: service.milterPort });
  const message = Buffer.from(`Content-Type: text/html\r\n\r\n<a href="${target}">x</a>\r\n`);
  const result = await client.send({ sender, message });
  await client.quit();
  return new URL(/href="([^"]*)"/.exec(result.message.toString())?.[1] ?? '');
}

/** The Caddyfile with its authority of its own, in place of a public one. */
function startCaddy(
  service: Service,
  https: number,
  http: number,
): { peer: PeerProcess; ca: string } {
  const home = mkdtempSync(join(folder, 'caddy-'));
  const file = join(home, 'Caddyfile');
  const ports = `http_port ${http}\n\thttps_port ${https}\n\tdefault_bind 127.0.0.1`;
  writeFileSync(
    file,
    example('Caddyfile')
      .replace(/^\{$/m, `{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\t${ports}`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${service.httpPort}`)
      .replaceAll('127.0.0.1:8895', `127.0.0.1:${service.controlPort}`),
  );
  const peer = startPeer(
    requireProgram('caddy', 'caddy'),
    ['run', '--adapter', 'caddyfile', '--config', file],
    { env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home } },
  );
  return { peer, ca: join(home, 'caddy/pki/authorities/local/root.crt') };
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
    (
      https: number,
      http: number,
      tls: ReturnType<typeof makeCertificate>,
    ) => { peer: PeerProcess; ca: string }
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
      const args = ['-p', folder, '-c', file, '-e', 'stderr'];
      return { peer: startPeer(requireProgram('nginx', 'nginx-light'), args), ca: certificate };
    },
    Caddy: (https, http) => startCaddy(service, https, http),
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
      const peer = startPeer(requireProgram('haproxy', 'haproxy'), ['-db', '-f', file]);
      return { peer, ca: certificate };
    },
  };

  test.each(Object.keys(fronts))(
    '%s ends TLS, keeps the Host, and tells the true client',
    async (name) => {
      const [https, http] = [await freePort(), await freePort()];
      const started = fronts[name]?.(https, http, makeCertificate(1));
      front = started?.peer;
      const ca = started?.ca ?? '';
      const { pathname: path } = await tracked(service);
      const clicks = service.journal().length;
      const answer = await poll(`${name} to answer`, () => {
        if (front?.running === false) throw new Error(front.output());
        const lie = {
          'x-forwarded-for': '203.0.113.66',
          'x-forwarded-host': 'other.example.com',
          forwarded: 'for=203.0.113.66;host=other.example.com',
        };
        return get(https, path, ca, lie).catch(() => undefined);
      });
      expect(answer).toMatchObject({ status: 302, location: TARGET });
      const event = await poll('the click', () => service.journal()[clicks]);
      expect(event.msys.track_event).toMatchObject({ ip_address: READER, user_agent: 'test' });
      const elsewhere = { host: 'other.example.com', 'x-forwarded-host': DOMAIN };
      expect((await get(https, path, ca, elsewhere).catch(() => undefined))?.status).not.toBe(302);
      await front?.stop();
    },
  );
});

describe('one line for all customers, and Caddy without a list of them', () => {
  const settings = (...domains: string[]) => `ESMTP_Listener {
  click_tracking_enabled = on  click_tracking_scheme = https
  tracking_domain = "click.{sender_domain}"
  tracking_domains_allowed = ( ${domains.map((domain) => `"${domain}"`).join(' ')} )
}
HTTP_Listener { trusted_proxies = ( "127.0.0.1" ) }`;
  let service: Service;
  let caddy: ReturnType<typeof startCaddy>;
  let https: number;
  let http: number;
  beforeAll(async () => {
    service = await startService(settings('click.a.example', 'click.b.example'));
    [https, http] = [await freePort(), await freePort()];
    caddy = startCaddy(service, https, http);
    await poll('Caddy to serve', () => {
      if (!caddy.peer.running) throw new Error(caddy.peer.output());
      return caddy.peer.output().includes('serving initial configuration');
    });
  });
  afterAll(async () => {
    await caddy.peer.stop();
    await service.stop();
  });
  const follow = ({ hostname, pathname }: URL, domain = hostname) =>
    get(https, pathname, caddy.ca, {}, domain);

  test('the first request to each domain is served, by its own certificate', async () => {
    const links = [await tracked(service, 'x@a.example'), await tracked(service, 'x@B.example')];
    expect(links.map(({ host }) => host)).toEqual(['click.a.example', 'click.b.example']);
    // One after the other, so that Caddy's output tells which of them failed.
    const answers: Awaited<ReturnType<typeof follow>>[] = [];
    for (const link of links) {
      answers.push(
        await follow(link).catch((cause: unknown) => {
          throw new Error(caddy.peer.output(), { cause });
        }),
      );
    }
    expect(answers.map(({ status, location }) => [status, location])).toEqual([
      [302, TARGET],
      [302, TARGET],
    ]);
    expect(new Set(answers.map(({ serial }) => serial)).size).toBe(2);
  });

  test("a link works on its own customer's domain only", async () => {
    expect((await follow(await tracked(service, 'x@a.example'), 'click.b.example')).status).toBe(
      404,
    );
  });

  test.each(['click.c.example', 'a.example', 'x.click.a.example'])(
    'no certificate for %s',
    async (domain) => {
      const link = await tracked(service, 'x@a.example');
      await expect(follow(link, domain)).rejects.toThrow(/alert|ECONNRESET/);
    },
  );

  test('plain HTTP goes on working', async () => {
    const { pathname, hostname } = await tracked(service, 'x@a.example');
    const options = { host: '127.0.0.1', port: http, path: pathname, headers: { host: hostname } };
    const status = await new Promise((resolve, reject) => {
      const asked = httpRequest(options, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers.location]);
      });
      asked.once('error', reject).end();
    });
    expect(status).toEqual([302, TARGET]);
  });

  test("links of other senders, and those to a customer's domain, stay as they are", async () => {
    expect((await tracked(service, 'x@c.example')).href).toBe(TARGET);
    const own = 'https://click.b.example/page';
    expect((await tracked(service, 'x@a.example', own)).href).toBe(own);
    const reasons = await poll('both log lines', () => {
      const found = service.log().flatMap(({ reason }) => reason ?? []);
      return found.length < 2 ? undefined : found;
    });
    expect(reasons).toEqual(['domain-not-allowed', 'nothing-to-track']);
  });

  test('a domain is added by a reload', async () => {
    const text = readFileSync(service.configFile, 'utf8');
    writeFileSync(service.configFile, text.replace('"click.b.example"', '$& "click.c.example"'));
    service.signal('SIGHUP');
    const link = await poll('the reload', async () => {
      const made = await tracked(service, 'x@c.example');
      return made.href === TARGET ? undefined : made;
    });
    expect(await follow(link)).toMatchObject({ status: 302, location: TARGET });
  });
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
    const { pathname: path } = await tracked(service);
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
