import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openLog } from '../../src/service/log.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-log-'));
  file = join(folder, 'clickmilter.log');
});
afterEach(() => rm(folder, { recursive: true }));

const open = (format: 'json' | 'pretty' = 'json') =>
  openLog({ level: 'info', format, file, detail: 'none' });

async function lines(): Promise<{ line?: number; lines?: number }[]> {
  return (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('reopen', () => {
  test.each(['json', 'pretty'] as const)('writes %s to a new file', async (format) => {
    const { logger, reopen, flush } = open(format);
    logger.info('before');
    await flush();
    await rename(file, `${file}.1`);
    reopen();
    logger.info('after');
    await flush();
    expect(await readFile(`${file}.1`, 'utf8')).toMatch(/before.*\n$/);
    expect(await readFile(file, 'utf8')).toMatch(/^(?!.*before).*after.*\n$/);
  });

  test('goes on with the old file where the new one cannot be opened', async () => {
    const { logger, reopen, flush } = open();
    logger.info('before');
    await flush();
    await rename(file, `${file}.1`);
    await mkdir(file);
    reopen();
    logger.info('after');
    await flush();
    expect(await readFile(`${file}.1`, 'utf8')).toMatch(/before.*\n.*after.*\n$/);
  });
});

test('lines that cannot be written wait, within bounds; what is lost is said where it is missing', async () => {
  await symlink('/dev/full', file);
  const { logger, reopen, flush } = open();
  const said = 15_000;
  for (let line = 0; line < said; line++) logger.info({ line, text: 'x'.repeat(1000) }, 'said');
  await flush();
  await rm(file);
  reopen();
  await flush();
  logger.info({ line: said }, 'again');
  await flush();
  const written = await lines();
  const gap = written.findIndex((entry) => entry.lines !== undefined);
  expect(gap).toBeGreaterThan(7000);
  expect(written.slice(0, gap).map(({ line }) => line)).toEqual([...Array(gap).keys()]);
  expect(written[gap]?.lines).toBe(said - gap);
  expect(written.slice(gap + 1).map(({ line }) => line)).toEqual([said]);
});

test('a file that cannot be opened at first is tried again', async () => {
  await mkdir(file);
  const { logger, flush } = open();
  logger.info({ line: 0 }, 'said');
  await flush();
  await rm(file, { recursive: true });
  logger.info({ line: 1 }, 'said');
  await expect.poll(() => lines().catch(() => [])).toMatchObject([{ line: 0 }, { line: 1 }]);
});

test('what is held is written when the process ends without a flush', async () => {
  const { logger, flush, flushNow } = open();
  logger.info({ line: 0 }, 'said');
  await flush();
  logger.info({ line: 1 }, 'said');
  flushNow();
  expect(await lines()).toMatchObject([{ line: 0 }, { line: 1 }]);
});

describe('a process that logs 100 MB', () => {
  const pipe = join(tmpdir(), `clickmilter-${process.pid}.pipe`);
  beforeAll(() => execFileSync('mkfifo', [pipe]));
  afterAll(() => rm(pipe));
  const start = (...args: string[]) =>
    spawn(process.execPath, [
      '--import',
      'tsx',
      join(import.meta.dirname, 'log-process.ts'),
      ...args,
    ]);

  test.each([
    ['to a full disk', ['/dev/full'], /^clickmilter: the log \(\/dev\/full\) .*ENOSPC.*\n/],
    ['to nobody who reads', [], /^clickmilter: the log \(the standard output\) .* are lost\n/],
    ['to a pipe that nobody reads', [pipe], /^clickmilter: the log \(.*pipe\) .*ENXIO.*\n/],
  ])('%s stays small, says so once, and ends', async (_name, args, told) => {
    const child = start(...args);
    const stderr = text(child.stderr);
    const [code] = await once(child, 'exit');
    child.stdout.destroy();
    expect(await stderr).toMatch(told);
    const [, grown] = /^.*\ngrown by (\d+) MB\n$/.exec(await stderr) ?? [];
    expect(Number(grown)).toBeLessThan(80);
    expect(code).toBe(0);
  });

  test('to somebody who reads slowly loses nothing that was held when it ended', async () => {
    const child = start();
    let read = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      read += chunk;
    });
    const slow = setInterval(
      () => (child.stdout.isPaused() ? child.stdout.resume() : child.stdout.pause()),
      5,
    );
    await once(child, 'close');
    clearInterval(slow);
    const entries = read
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const lost = entries.reduce((sum, { lines = 0 }) => sum + lines, 0);
    const said = entries.filter(({ msg }) => msg === 'said').length;
    expect(said + lost).toBe(100_000);
  });
});
