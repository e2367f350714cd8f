import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('the benchmark runs, every part of it, and leaves no peer out', async () => {
  const command = ['node_modules/.bin/tsx', 'test/bench/bench.ts', '--quick', '--long'];
  const run = promisify(execFile)(process.execPath, command, { cwd: ROOT });
  const { stdout, stderr } = await run;
  expect(stderr).not.toContain('left out');
  for (const subject of [
    'messages a second',
    'through Postfix',
    'longest block',
    'bytes a link',
    'CPU a request',
    'two workers',
    'scope of a client',
    'transform',
    'resident after',
  ]) {
    expect(stdout).toContain(subject);
  }
}, 240_000);
