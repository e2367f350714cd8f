import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from './peer-process.ts';

const run = promisify(execFile);

/** PEM files: an authority of our own, and a certificate of its for localhost and 127.0.0.1. */
export interface Certificates {
  readonly folder: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export async function makeCertificates(): Promise<Certificates> {
  const openssl = requireProgram('openssl', 'openssl');
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-tls-'));
  const file = (name: string) => join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-subj', '/CN=Test authority', '-days', '2'];
  await run(openssl, [
    'req',
    '-x509',
    ...newKey,
    ...authority,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  ]);
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run(openssl, [
    'req',
    ...newKey,
    ...names,
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
  ]);
  const sign = [
    'x509',
    '-req',
    '-in',
    file('server.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
  ];
  await run(openssl, [
    ...sign,
    '-CAcreateserial',
    '-days',
    '2',
    '-copy_extensions',
    'copy',
    '-out',
    file('server.pem'),
  ]);
  return { folder, ca: file('ca.pem'), certificate: file('server.pem'), key: file('server.key') };
}
