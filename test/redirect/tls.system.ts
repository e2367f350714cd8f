import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { createRedirect } from '../../src/redirect/redirect.ts';
import { RedirectServer, type ServerOptions } from '../../src/redirect/redirect-server.ts';
import { httpDefaults } from '../helpers/option-defaults.ts';
import { LONGER_THAN_A_TEST } from '../helpers/poll.ts';
import { recordedLog } from '../helpers/recorded.ts';
import { type Certificates, makeCertificates } from '../helpers/tls-certificates.ts';
import { FakeLinks, resolvedLink, tokenNamed } from './fake-links.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function certificates(): Promise<Certificates> {
  const made = await makeCertificates();
  releases.push(() => rm(made.folder, { recursive: true, force: true }));
  return made;
}

const read = ({ certificate, key }: Certificates) => ({
  cert: readFileSync(certificate),
  key: readFileSync(key),
});

/** A server with TLS on a free port. */
async function serve(links: FakeLinks, made: Certificates, options: Partial<ServerOptions>) {
  const app = createRedirect({
    resolver: links,
    blocks: links,
    optOuts: links,
    clicks: links,
    ...httpDefaults,
  });
  const server = new RedirectServer(app, { ...httpDefaults, tls: read(made), ...options });
  releases.push(() => server.close(0));
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, port: (listening.address() as AddressInfo).port };
}

/** One click over TLS: status, and the fingerprint of the certificate that was shown. */
function click(port: number, { ca }: Certificates, agent?: Agent) {
  return new Promise<{ status: number | undefined; fingerprint: string }>((resolve, reject) => {
    const options = {
      port,
      path: `/${tokenNamed('live')}`,
      ca: readFileSync(ca),
      ...(agent && { agent }),
    };
    request(options, (response) => {
      const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
      const status = response.statusCode;
      response.resume().once('end', () => resolve({ status, fingerprint: fingerprint256 }));
    })
      .once('error', reject)
      .end();
  });
}

test('HTTPS, with a certificate that can be renewed while it is served', async () => {
  const links = new FakeLinks();
  links.links.set(tokenNamed('live'), resolvedLink({}, { domain: 'localhost' }));
  const [first, second] = [await certificates(), await certificates()];
  const { server, port } = await serve(links, first, { requestTimeoutMs: 300 });

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  releases.push(() => agent.destroy());
  const before = await click(port, first, agent);
  expect(before.status).toBe(302);
  server.setTls(read(second));
  const after = await click(port, second);
  expect(after.status).toBe(302);
  expect(after.fingerprint).not.toBe(before.fingerprint);
  await expect(click(port, first)).rejects.toThrow(/certificate|self.signed/);
  expect(links.clicks.map(({ ip }) => ip)).toEqual(['127.0.0.1', '127.0.0.1']);

  // Whoever begins no handshake, or speaks HTTP in the clear, is cut off.
  for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n']) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    if (bytes) socket.write(bytes);
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
});

test('connections without a request, or without a handshake, do not delay its end', async () => {
  const links = new FakeLinks();
  const made = await certificates();
  const { server, port } = await serve(links, made, { requestTimeoutMs: LONGER_THAN_A_TEST });

  const handshaken = connectTls({ port, ca: readFileSync(made.ca), servername: 'localhost' });
  const silent = connect(port, '127.0.0.1');
  for (const socket of [handshaken, silent]) socket.on('error', () => undefined).resume();
  await Promise.all([once(handshaken, 'secureConnect'), once(silent, 'connect')]);
  const closed = Promise.all([handshaken, silent].map((socket) => once(socket, 'close')));
  await server.close(LONGER_THAN_A_TEST);
  await closed;
});

test('what is not TLS is reported, and bytes beyond ASCII behind a token are cut over TLS too', async () => {
  const links = new FakeLinks();
  const path = `/${tokenNamed('live')}\u201d`;
  links.links.set(tokenNamed('live'), resolvedLink({}, { domain: 'localhost' }));
  const made = await certificates();
  const { logger, lines } = recordedLog();
  const { port } = await serve(links, made, { logger });

  const proxied = 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n';
  for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n', proxied, proxied.repeat(99)]) {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
  // The fourth is one more of its kind, within the second.
  expect(lines.map(({ message }) => message)).toEqual([
    'redirect: connection closed: HTTP came to a port with TLS: expected https',
    expect.stringMatching(/closed: no TLS came to a port with TLS; the PROXY protocol, if it was/),
  ]);

  const client = connectTls({ port, ca: readFileSync(made.ca), servername: 'localhost' });
  client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  expect((await text(client)).split('\r\n')[0]).toBe('HTTP/1.1 302 Found');
  expect(links.clicks).toMatchObject([{ token: tokenNamed('live'), ip: '127.0.0.1' }]);
});
