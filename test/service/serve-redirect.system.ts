import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { poll } from '../helpers/poll.ts';
import { startService } from '../helpers/service.ts';
import { type Certificates, makeCertificates } from '../helpers/tls-certificates.ts';

const RENEWED = 'certificate renewed: new connections use it';

test('a renewed certificate is used while a page of the operator is half edited', async () => {
  const first = await makeCertificates();
  const second = await makeCertificates();
  const pages = join(first.folder, 'pages');
  mkdirSync(pages);
  writeFileSync(join(pages, '404.html'), '<h1>No</h1>');
  const service = await startService(
    `HTTP_Listener { tls_certificate = "${first.certificate}"  tls_key = "${first.key}"  pages = "${pages}" }`,
  );
  try {
    const before = await fingerprint(service.httpPort, first);
    writeFileSync(join(pages, '404.html'), '');
    cpSync(second.certificate, first.certificate);
    cpSync(second.key, first.key);
    await poll('the renewed certificate', () => service.output().includes(RENEWED), 40_000);
    expect(await fingerprint(service.httpPort, second)).not.toBe(before);
    expect(service.output()).not.toContain('renewed certificate cannot be used');
  } finally {
    await service.stop();
    for (const { folder } of [first, second]) rmSync(folder, { recursive: true });
  }
}, 60_000);

test('a worker that replaces a dead one serves without pages and networks that cannot be read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-successor-'));
  const page = join(folder, '404.html');
  const networks = join(folder, 'networks');
  const write = (title: string, network: string) => {
    writeFileSync(page, title && `<title>${title}</title>`);
    writeFileSync(networks, network);
  };
  write('Own page', '192.0.2.0/24');
  const service = await startService(
    `workers = 2
     HTTP_Listener { pages = "${folder}" }
     events { automatic_networks = ( "file:${networks}" ) }`,
  );
  const shown = async () => (await fetch(`http://127.0.0.1:${service.httpPort}/x`)).text();
  const ready = () => service.log().filter(({ msg }) => msg === 'worker ready');
  try {
    expect(await shown()).toContain('Own page');
    write('', '192.0.2.0/33');
    const first = ready();
    expect(first).toHaveLength(2);
    for (const { workerPid } of first) process.kill(Number(workerPid), 'SIGKILL');
    await poll('the successors', () => ready().length === 4, 40_000);
    expect(await shown()).toContain('This link leads nowhere');
    expect(service.output()).toMatch(/404.html has 0 bytes/);
    expect(service.output()).toMatch(/automatic_networks cannot be used/);
    write('New page', '192.0.2.0/24');
    service.signal('SIGHUP');
    await poll('the page', async () => {
      const pages = await Promise.all(Array.from({ length: 10 }, shown));
      return pages.every((one) => one.includes('New page'));
    });
  } finally {
    await service.stop();
    rmSync(folder, { recursive: true });
  }
}, 90_000);

/** Of the certificate that a server shows, which the authority has to have signed. */
function fingerprint(port: number, { ca }: Certificates): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, ca: readFileSync(ca), servername: 'localhost' }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
