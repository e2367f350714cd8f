import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

type Output = Promise<{ stdout: string; stderr: string }>;

function run(script: string, ...options: string[]): Output {
  const command = ['node_modules/.bin/tsx', `test/bench/${script}.ts`, ...options];
  return promisify(execFile)(process.execPath, command, { cwd: ROOT });
}

const bench = (...options: string[]) => run('bench', '--quick', ...options);

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
    'campaign from files',
    'resident after',
  ]) {
    expect(stdout).toContain(subject);
  }
}, 240_000);

test('an earlier commit is built, and measured in turn with this one', async () => {
  const only = ['2 KB', 'sealed', 'redirect', 'postfix'];
  const { stdout } = await bench('--against', 'HEAD', '--only', ...only);
  const figure = String.raw`[\d.,]+ µs +`;
  const ratio = String.raw`\d+\.\d+`;
  for (const load of ['2 KB of text, 2 links', '20 KB, sealed']) {
    expect(stdout).toMatch(
      new RegExp(`^${load}: CPU per message +new ${figure}old ${figure}${ratio}`, 'm'),
    );
  }
  for (const what of [
    'redirect: requests per second',
    'through Postfix, 20 KB: accepted a second',
  ]) {
    expect(stdout).toMatch(new RegExp(`^${what} +new .*old .*${ratio}`, 'm'));
  }
  expect(stdout).not.toContain('20 KB, not tracked');
}, 240_000);

test('the soak watches the memory of milter and redirect under traffic', async () => {
  const { stdout } = await run('soak', '--minutes', '0.1');
  expect(stdout).toMatch(/^\d+ messages and \d+ clicks in 0.1 minutes$/m);
  for (const role of ['milter', 'redirect']) {
    expect(stdout).toMatch(new RegExp(`^${role}: the last sixth has \\d+\\.\\d+ times`, 'm'));
  }
}, 120_000);
