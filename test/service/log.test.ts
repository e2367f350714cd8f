import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLog } from '../../src/service/log.ts';
import { poll } from '../helpers/poll.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-log-'));
});
afterEach(() => rm(folder, { recursive: true }));

const open = () => {
  const file = join(folder, 'clickmilter.log');
  return { file, ...openLog({ level: 'info', format: 'json', file, detail: 'none' }) };
};

test('a line reaches the file by itself, also where no other follows', async () => {
  const { file, logger } = open();
  for (const said of ['first', 'second']) {
    logger.info(said);
    await poll(`"${said}" in the log`, async () =>
      (await readFile(file, 'utf8').catch(() => '')).includes(`"${said}"}\n`),
    );
  }
});

test('what is held is in the file when flush has settled', async () => {
  const { file, logger, flush } = open();
  for (let line = 0; line < 1000; line++) logger.info({ line }, 'said');
  await flush();
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).line)).toEqual([...Array(1000).keys()]);
});
