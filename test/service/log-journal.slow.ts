import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// systemd connects the standard output to its journal, and says so with the device and inode of the descriptor. A file is one, too.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const LINES = `
  import { openLog } from './src/service/log.ts';
  import { complain } from './src/lib/systemd-journal.ts';
  const { logger, flush } = openLog({ level: 'trace', detail: 'none', ...JSON.parse(process.argv[1]) });
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) logger[level](level);
  logger.error({ err: new Error('of several lines') }, 'failed');
  complain('first\\nsecond', 'warning');
  await flush();
`;

async function lines(log: object, journal: (stat: { dev: bigint; ino: bigint }) => string) {
  const path = join(folder, 'journal');
  const output = openSync(path, 'a');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', LINES, JSON.stringify(log)],
    {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, JOURNAL_STREAM: journal(fstatSync(output, { bigint: true })) },
      stdio: ['ignore', output, output],
    },
  );
  const [code] = await once(child, 'exit');
  closeSync(output);
  expect(code, readFileSync(path, 'utf8')).toBe(0);
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

const right = ({ dev, ino }: { dev: bigint; ino: bigint }) => `${dev}:${ino}`;

test('JSON: each line has its priority, and parses without it', async () => {
  const all = await lines({ format: 'json' }, right);
  const logged = all.filter((line) => line.includes('{'));
  expect(logged.map((line) => [line.slice(0, 3), JSON.parse(line.slice(3)).msg])).toEqual([
    ['<7>', 'trace'],
    ['<7>', 'debug'],
    ['<6>', 'info'],
    ['<4>', 'warn'],
    ['<3>', 'error'],
    ['<3>', 'fatal'],
    ['<3>', 'failed'],
  ]);
  expect(all.filter((line) => !line.includes('{')).sort()).toEqual(['<4>first', '<4>second']);
});

test('pretty: each line of an entry has the priority of the entry', async () => {
  const all = await lines({ format: 'pretty' }, right);
  expect(all.filter((line) => !/^<[3467]>/.test(line))).toEqual([]);
  expect(all.filter((line) => /^<3> +at /.test(line)).length).toBeGreaterThan(0);
});

test.each([
  [
    'another stream',
    { format: 'json' },
    ({ dev, ino }: { dev: bigint; ino: bigint }) => `${dev}:${ino + 1n}`,
  ],
  ['nonsense', { format: 'json' }, () => 'nonsense'],
] as const)('no priorities where JOURNAL_STREAM is %s', async (_, log, journal) => {
  const all = await lines(log, journal);
  expect(all.filter((line) => line.startsWith('<'))).toEqual([]);
});

test('no priorities in a log file', async () => {
  const file = join(folder, 'clickmilter.log');
  await lines({ format: 'json', file }, right);
  const logged = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(logged.map((line) => JSON.parse(line).msg)).toHaveLength(7);
});
