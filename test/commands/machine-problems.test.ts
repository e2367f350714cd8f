import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { machineProblems } from '../../src/commands/machine-problems.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-machine-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.conf');
writeFileSync(join(folder, 'no.pem'), 'no certificate');

test.each<[string, (string | RegExp)[]]>([
  ['', []],
  ['Milter_Listener { Listen "/m" { file_owner = root file_group = 0 } }', []],
  [
    'Milter_Listener { Listen "/m" { file_owner = no-such file_group = no-such } }',
    [
      '1:33: warning: file_owner cannot be used here: there is no user "no-such" on this machine',
      '1:54: warning: file_group cannot be used here: there is no group "no-such" on this machine',
    ],
  ],
  ['Milter_Listener { Listen "/m" { enable = off file_group = no-such } }', []],
  ['Milter_Listener { Listen "127.0.0.1:1" { file_group = no-such } }', []],
  [
    'HTTP_Listener { tls_certificate = "none.pem" tls_key = "no.pem" }',
    [/^1:17: warning: tls_certificate cannot be used here: ENOENT: .*none.pem/],
  ],
  [
    'HTTP_Listener { tls_certificate = "no.pem" tls_key = "no.pem" }',
    [/^1:17: warning: tls_certificate cannot be used here: /],
  ],
  ['HTTP_Listener { enable = off tls_certificate = "none.pem" tls_key = "none.pem" }', []],
])('%s', (text, expected) => {
  writeFileSync(file, text);
  const said = machineProblems(loadConfig(file).root).map(formatProblem);
  expect(said.map((line) => line.replace(`${file}:`, ''))).toEqual(
    expected.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one))),
  );
});
