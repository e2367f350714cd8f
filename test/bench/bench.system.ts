import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function bench(...options: string[]): Promise<{ stdout: string; stderr: string }> {
  const command = ['node_modules/.bin/tsx', 'test/bench/bench.ts', '--quick', ...options];
  return promisify(execFile)(process.execPath, command, { cwd: ROOT });
}

test('the benchmark runs, every part of it, and leaves no peer out', async () => {
  const { stdout, stderr } = await bench('--long');
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

test('the milter of an earlier commit is built, and measured in turn with this one', async () => {
  const { stdout } = await bench('--against', 'HEAD', '--only', '2 KB', 'sealed');
  const figure = String.raw`[\d.,]+ µs +`;
  const ratio = String.raw`\d+\.\d+`;
  for (const load of ['2 KB of text, 2 links', '20 KB, sealed']) {
    expect(stdout).toMatch(
      new RegExp(`^${load}: CPU per message +new ${figure}old ${figure}${ratio}`, 'm'),
    );
  }
  expect(stdout).not.toContain('20 KB, not tracked');
}, 240_000);
