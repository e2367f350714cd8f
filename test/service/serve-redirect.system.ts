import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
