import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, test, vi } from 'vitest';
import { optOutCommand } from '../../src/commands/optout.ts';
import { optOutDigest } from '../../src/store/opt-outs.ts';
import { runCommand } from '../helpers/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-optout-'));
const config = join(folder, 'clickmilter.conf');
writeFileSync(config, `state_directory = "${join(folder, 'var')}"\n`);
afterAll(() => rmSync(folder, { recursive: true }));

async function optout(args: readonly string[], input = '') {
  const stdin = Object.assign(Readable.from([input]), { fd: 0 as const });
  const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as typeof process.stdin);
  try {
    return await runCommand(optOutCommand, ['--config', config, 'optout', ...args]);
  } finally {
    spy.mockRestore();
  }
}

test('recipients opt out, are listed as digests, and are tracked again', async () => {
  expect(await optout(['Ada@x.example', '<b@x.example>'])).toMatchObject({
    code: 0,
    stdout: '2 opted out\n',
  });
  expect(await optout(['-'], 'ada@X.example\n\nc@x.example\n')).toMatchObject({
    stdout: '1 opted out, 1 had opted out already\n',
  });
  const listed = await optout(['--list']);
  const addresses = ['ada@x.example', 'b@x.example', 'c@x.example'];
  expect(
    listed.stdout
      .replace(/ \S+Z$/gm, '')
      .trim()
      .split('\n'),
  ).toEqual(addresses.map(optOutDigest));
  expect((await optout(['--undo', 'b@x.example', 'd@x.example'])).stdout).toBe(
    '1 tracked again, 1 had not opted out\n',
  );
  expect((await optout(['--list', 'b@x.example', 'c@x.example'])).stdout).toMatch(
    /^b@x.example has not opted out\nc@x.example 20\S+Z\n$/,
  );
  // A list can move to another store.
  expect((await optout(['-'], listed.stdout)).stdout).toBe(
    '1 opted out, 2 had opted out already\n',
  );
});

test.each([
  [[], 'expected addresses, or --list'],
  [['--undo', '--list'], 'expected one of --undo and --list'],
  [['ada'], '"ada": expected an address such as user@example.com'],
  [['a b@x.example'], 'expected an address'],
])('%j is a wrong use', async (args, message) => {
  const { code, stderr } = await optout(args);
  expect(code).toBe(64);
  expect(stderr).toContain(message);
});
