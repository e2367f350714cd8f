import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineSendmail } from '../../src/commands/doctor-sendmail.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-sendmail-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = configurationOf('Milter_Listener { Listen "/run/clickmilter/milter.sock" { } }');
const named = 'O InputMailFilters=clickmilter';
const filter = (place: string, flags: string) =>
  `Xclickmilter, S=${place}, ${flags}T=C:30s;S:30s;R:60s;E:5m\n`;
const ours = 'unix:/run/clickmilter/milter.sock';

async function examine(text: string): Promise<readonly string[]> {
  const file = join(folder, 'sendmail.cf');
  writeFileSync(file, text);
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
    `O InputMailFilters=a, clickmilter\nXa, S=inet:1@h\n${filter(ours, 'F=4, ')}`,
  ],
])('is well where it %s', async (_, text) => {
  expect(await examine(text)).toEqual([]);
});

test.each([
  ['nobody asks us', ''],
  ['somebody else is asked', `${named}\n${filter('inet:8891@localhost', 'F=T, ')}`],
  ['we are defined, and not asked', filter(ours, 'F=T, ')],
  ['mail passes while we are away', `${named}\n${filter(ours, '')}`],
  ['mail is refused while we are away', `${named}\n${filter(ours, 'F=R, ')}`],
])('%s', async (name, text) => {
  expect((await examine(text)).join('\n')).toMatchSnapshot(name);
});

test('there is no Sendmail here', async () => {
  expect(await examineSendmail(config, join(folder, 'none'))).toEqual([]);
});
