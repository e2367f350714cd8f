import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineSendmail } from '../../src/commands/doctor-sendmail.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';

let folder: string;
let signer: string;
let server: Server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-sendmail-'));
  signer = join(folder, 'opendkim.sock');
  await new Promise<void>((listening) => {
    server = createServer().listen(signer, listening);
  });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const config = configurationOf('Milter_Listener { Listen "/run/clickmilter/milter.sock" { } }');
const named = 'O InputMailFilters=clickmilter';
const filter = (place: string, flags: string) =>
  `Xclickmilter, S=${place}, ${flags}T=C:30s;S:30s;R:60s;E:5m\n`;
const ours = 'unix:/run/clickmilter/milter.sock';

async function examine(text: string, pid = `${process.pid}\n`): Promise<readonly string[]> {
  const file = join(folder, 'sendmail.cf');
  // As Sendmail writes it: its command follows.
  writeFileSync(join(folder, 'sendmail.pid'), `${pid}/usr/sbin/sendmail-mta -bd\n`);
  writeFileSync(file, `O PidFile=${join(folder, 'sendmail.pid')}\n${text}`);
  return complaints(await examineSendmail(config, file)).map((one) => one.replace(file, 'FILE'));
}

test.each([
  ['asks us', `${named}\n${filter(ours, 'F=T, ')}`],
  [
    'asks us by another word for unix',
    `${named}\n${filter(ours.replace('unix', 'local'), 'F=T, ')}`,
  ],
  [
    'asks us among others',
    `O InputMailFilters=clickmilter,opendkim\nXopendkim, S=local:SIGNER\n${filter(ours, 'F=4, ')}`,
  ],
])('is well where it %s', async (_, text) => {
  expect(await examine(text.replace('SIGNER', signer))).toEqual([]);
});

test.each([
  ['nobody asks us', ''],
  ['somebody else is asked', `${named}\n${filter('local:SIGNER', 'F=T, ')}`],
  ['we are defined, and not asked', filter(ours, 'F=T, ')],
  ['mail passes while we are away', `${named}\n${filter(ours, '')}`],
  ['mail is refused while we are away', `${named}\n${filter(ours, 'F=R, ')}`],
  [
    'the signer comes first',
    `O InputMailFilters=dkim,clickmilter\nXdkim, S=local:SIGNER\n${filter(ours, 'F=T, ')}`,
  ],
  [
    'other milters are not there',
    `O InputMailFilters=clickmilter,a,b,old\nXa, S=unix:/gone/a, F=R\nXb, S=unix:/gone/b\n` +
      `Xold, S=unix:/gone/clickmilter.sock, F=T\nXunused, S=unix:/gone/c, F=T\n${filter(ours, 'F=T, ')}`,
  ],
])('%s', async (name, text) => {
  const said = (await examine(text.replace('SIGNER', signer))).toSorted();
  expect(said.join('\n')).toMatchSnapshot(name);
});

test('a Sendmail that does not run: what a removed one has left is no alarm', async () => {
  const gone = '4194305\n'; // beyond the largest process id
  expect(await examine(named, gone)).toEqual([]);
  expect(await examine(`${named}\n${filter(ours, '')}`, gone)).toEqual([
    'warning: FILE: Sendmail is not running, and its mail would use clickmilter',
  ]);
});

test('there is no Sendmail here', async () => {
  expect(await examineSendmail(config, join(folder, 'none'))).toEqual([]);
});
