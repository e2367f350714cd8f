import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { machineProblems } from '../../src/commands/machine-problems.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { makeCertificates } from '../helpers/tls-certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-machine-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.conf');
writeFileSync(join(folder, 'no.pem'), 'no certificate');
writeFileSync(join(folder, 'networks'), '192.0.2.0/24\ntwo\n');

test.each<[string, (string | RegExp)[]]>([
  ['', []],
  ['Milter_Listener { Listen "/m" { file_owner = root file_group = 0 } }', []],
  [
    'Milter_Listener { Listen "/m" { file_owner = no-such file_group = no-such } }',
    [
      '1:33: file_owner cannot be used here: there is no user "no-such" on this machine',
      '1:54: file_group cannot be used here: there is no group "no-such" on this machine',
    ],
  ],
  [
    'events { automatic_networks = ( "file:networks" "192.0.2.1" ) } HTTP_Listener { }',
    [
      /^1:10: automatic_networks cannot be used here: .*networks: line 2: "two": expected an IP add/,
    ],
  ],
  ['Milter_Listener { Listen "/m" { enable = off file_group = no-such } }', []],
  ['Milter_Listener { Listen "127.0.0.1:1" { file_group = no-such } }', []],
  [
    'HTTP_Listener { tls_certificate = "none.pem" tls_key = "no.pem" }',
    [
      /^1:17: tls_certificate cannot be used here: ENOENT: .*none.pem/,
      /: tls_key cannot be used here: /,
    ],
  ],
  [
    'HTTP_Listener { tls_certificate = "no.pem" tls_key = "no.pem" }',
    [/^1:17: tls_certificate cannot be used here: /, /: tls_key cannot be used here: /],
  ],
  [
    'HTTP_Listener { tls_certificate = "." tls_key = "/dev/zero" }',
    [/^1:17: tls_certificate .*: expected a file/, /: tls_key .*\/dev\/zero: expected a file/],
  ],
  [
    'link_store = redis redis { tls_ca = "no.pem" }',
    [/: tls_ca cannot be used here: the file has no PEM certificate/],
  ],
  ['HTTP_Listener { pages = "none" }', [/^1:17: pages cannot be used here: ENOENT: .*none/]],
  ['HTTP_Listener { enable = off pages = "none" }', []],
  ['redis { tls_ca = "no.pem" }', []],
  ['HTTP_Listener { enable = off tls_certificate = "none.pem" tls_key = "none.pem" }', []],
])('%s', (text, expected) => {
  writeFileSync(file, text);
  const said = machineProblems(loadConfig(file).root).map(formatProblem);
  expect(said.map((line) => line.replace(`${file}:`, ''))).toEqual(
    expected.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one))),
  );
});

test('a certificate and a key that are no pair', async () => {
  const [one, other] = await Promise.all([makeCertificates(), makeCertificates()]);
  const said = ({ certificate, key }: { certificate: string; key: string }) => {
    writeFileSync(file, `HTTP_Listener { tls_certificate = "${certificate}" tls_key = "${key}" }`);
    return machineProblems(loadConfig(file).root);
  };
  try {
    expect(said(one)).toEqual([]);
    expect(said({ ...one, key: other.key })).toMatchObject([
      { severity: 'error', message: expect.stringMatching(/^tls_certificate .*mismatch/) },
    ]);
  } finally {
    for (const { folder: made } of [one, other]) rmSync(made, { recursive: true });
  }
});
