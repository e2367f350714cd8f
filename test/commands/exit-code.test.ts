import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CommandFailed, describeFailure } from '../../src/commands/exit-code.ts';
import { UnusableFile } from '../../src/lib/files.ts';
import { addSealKey } from '../../src/link/seal-key-file.ts';

/** An error as node:fs throws it. */
function refused(code: string): Error {
  const error = new Error(`${code}: why, open '/keys'`);
  return Object.assign(error, { code, syscall: 'open', path: '/keys' });
}

test.each<[unknown, number, string]>([
  [new CommandFailed(65, 'not blocked'), 65, 'not blocked'],
  [new UnusableFile('/keys:1: not a sealing key'), 69, '/keys:1: not a sealing key'],
  [refused('ENOSPC'), 69, "ENOSPC: why, open '/keys'"],
  [refused('EROFS'), 69, "EROFS: why, open '/keys'"],
  [
    refused('EACCES'),
    69,
    "EACCES: why, open '/keys': run this as root, or as the user of the service",
  ],
  [new TypeError('x is not a function'), 70, 'internal error: TypeError: x is not a function'],
  ['a\u009bb', 70, 'internal error: ab'],
])('%s', (error, exitCode, message) => {
  expect(describeFailure(error)).toMatchObject({ exitCode, message });
});

test('a file that cannot be read or written is not an internal error', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-failure-'));
  writeFileSync(join(folder, 'file'), 'text\n');
  const failures = [
    () => readdirSync(join(folder, 'file')),
    () => writeFileSync(folder, ''),
    () => addSealKey(join(folder, 'file')),
  ].map(async (action) => {
    try {
      await action();
    } catch (error) {
      return describeFailure(error).exitCode;
    }
    return 0;
  });
  expect(await Promise.all(failures)).toEqual([69, 69, 69]);
  rmSync(folder, { recursive: true });
});
