import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineSendmail, mailFilterLine } from '../../src/commands/doctor-sendmail.ts';
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

const listening = 'Milter_Listener { Listen "/run/clickmilter/milter.sock" { } }';
const named = 'O InputMailFilters=clickmilter';
const filter = (place: string, flags: string) =>
  `Xclickmilter, S=${place}, ${flags}T=C:30s;S:30s;R:60s;E:5m\n`;
const ours = 'unix:/run/clickmilter/milter.sock';

async function examine(
  text: string,
  { pid = `${process.pid}`, made = 0, edited = 0, more = '' } = {},
): Promise<readonly string[]> {
  const file = join(folder, 'sendmail.cf');
  const source = join(folder, 'sendmail.mc');
  const pidFile = join(folder, 'sendmail.pid');
  // As Sendmail writes it: its command follows.
  writeFileSync(pidFile, `${pid}\n/usr/sbin/sendmail-mta -bd\n`);
  writeFileSync(file, `O PidFile=${pidFile}\n${text}`);
  writeFileSync(source, '');
  const now = Date.now() / 1000;
  utimesSync(pidFile, now, now);
  utimesSync(file, now, now - 2 + made);
  utimesSync(source, now, now - 4 + edited);
  const findings = await examineSendmail(configurationOf(`${listening}\n${more}`), file);
  return complaints(findings).map((one) => one.replaceAll(folder, 'FOLDER'));
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
  ['asks us by a path alone', `${named}\n${filter('/run/clickmilter/milter.sock', 'F=T, ')}`],
  [
    'asks us in long words, and over two lines',
    `O inputmailfilters = clickmilter\nXclickmilter,\n\tSocket = ${ours}, Flags = T\n`,
  ],
  [
    'asks us at one of its daemons, which has a list of its own, and at another by the common list',
    `${named}\nXopendkim, S=local:SIGNER\n${filter(ours, 'F=T, ')}` +
      'O DaemonPortOptions=Name=MTA, Port=25\n' +
      'O DaemonPortOptions=Port=587, M=Ea, I=clickmilter;opendkim, Name=MSA\n',
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
    'daemons have lists of their own',
    `${named}\nXopendkim, S=local:SIGNER\n${filter(ours, 'F=T, ')}` +
      'O DaemonPortOptions=Name=MTA, Port=25\n' +
      'O DaemonPortOptions=Name=MSA, Port=587, M=Ea, I=opendkim\n' +
      'O DaemonPortOptions=Port=465, M=s, InputMailFilters=\n' +
      'O DaemonPortOptions=Name=inner, Port=26, I=opendkim;clickmilter\n',
  ],
  [
    'a daemon alone asks us',
    `${filter(ours, 'F=T, ')}O DaemonPortOptions=Name=MTA\nO DaemonPortOptions=Name=MSA, I=clickmilter\n`,
  ],
  ['our address is another one', `${named}\n${filter('inet:8893@127.0.0.1', 'F=T, ')}`],
  [
    'other milters are not there',
    `O InputMailFilters=clickmilter,a,b,old\nXa, S=unix:/gone/a, F=R\nXb, S=unix:/gone/b\n` +
      `Xold, S=unix:/gone/clickmilter.sock, F=T\nXunused, S=unix:/gone/c, F=T\n${filter(ours, 'F=T, ')}`,
  ],
])('%s', async (name, text) => {
  const said = (await examine(text.replace('SIGNER', signer))).toSorted();
  expect(said.join('\n')).toMatchSnapshot(name);
});

test('a file that is not in use yet', async () => {
  const text = `${named}\n${filter(ours, 'F=T, ')}`;
  expect(await examine(text, { made: 3 })).toEqual([
    'warning: FOLDER/sendmail.cf changed after Sendmail started: restart Sendmail',
  ]);
  expect(await examine(text, { edited: 3 })).toEqual([
    'warning: FOLDER/sendmail.mc changed after FOLDER/sendmail.cf was made from it: run make -C /etc/mail, and restart Sendmail',
  ]);
});

test('names of macros that Sendmail does not take', async () => {
  const more = 'macros { long_names = on }';
  expect(await examine(`${named}\n${filter(ours, 'F=T, ')}`, { more })).toEqual([
    'error: long_names = on makes Sendmail refuse all mail: switch it off (macros)',
  ]);
});

test('a Sendmail that does not run: what a removed one has left is no alarm', async () => {
  const pid = '4194305'; // beyond the largest process id
  const away =
    'warning: FOLDER/sendmail.cf: Sendmail is not running, and its mail would use clickmilter';
  expect(await examine('', { pid })).toEqual([]);
  expect(await examine('O InputMailFilters=other', { pid })).toEqual([]);
  expect(await examine(`${named}\n${filter(ours, '')}`, { pid })).toEqual([away]);
  expect(await examine(`${named}, other\n${filter(ours, '')}`, { pid })).toEqual([
    away,
    'error: InputMailFilters names other, which no INPUT_MAIL_FILTER defines: Sendmail does not start',
  ]);
});

test('the README has the line that doctor proposes', () => {
  expect(readFileSync('README.md', 'utf8')).toContain(mailFilterLine(ours));
});

test('there is no Sendmail here', async () => {
  expect(await examineSendmail(configurationOf(listening), join(folder, 'none'))).toEqual([]);
});
