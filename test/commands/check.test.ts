import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { runCommand } from '../helpers/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-check-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.conf');

async function check(configuration: string) {
  writeFileSync(file, configuration);
  const { code, stdout } = await runCommand(checkCommand, ['-c', file, 'check']);
  return { code, lines: stdout.replaceAll(`${folder}/`, '').trimEnd().split('\n') };
}

const sealed = `state_directory = "${folder}"\nsealed { key_file = "${folder}/keys" }\n`;
const right = { code: 0, lines: ['c.conf: no problems'] };

test('a key file that the service could not use is an error at its option', async () => {
  writeFileSync(join(folder, 'keys'), 'not a key\n');
  expect(await check(sealed)).toEqual({
    code: 78,
    lines: [
      'c.conf:2:10: keys:1: not a sealing key; a line is ID DATE SECRET, as keygen writes it',
      'c.conf: 1 error',
    ],
  });
});

test('a key file that is gone is an error; one that was never made is not, and is not made', async () => {
  rmSync(join(folder, 'keys'));
  expect(await check(sealed)).toEqual(right);
  expect(readdirSync(folder)).toEqual(['c.conf']);
  writeFileSync(join(folder, 'keys.made'), '');
  const { code, lines } = await check(`state_directory = "${folder}"\n`);
  expect(code).toBe(78);
  expect(lines[0]).toMatch(/^c\.conf:1:1: keys: the key file is gone/);
});
