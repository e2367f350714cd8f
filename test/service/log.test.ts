import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Configuration } from '../../src/config/configuration.ts';
import type { MessageReport } from '../../src/filter/report.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { openLog } from '../../src/service/log.ts';
import { reportMessage } from '../../src/service/mail-log.ts';
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

test('no control character reaches whoever reads the file, and all are in the JSON', async () => {
  const { file, logger, flush } = open();
  const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join('');
  logger.info({ subject: controls, [`key${controls}`]: 1 }, controls);
  await flush();
  const text = await readFile(file, 'utf8');
  expect(text.trimEnd()).not.toMatch(/\p{Cc}/u);
  const line = JSON.parse(text);
  expect([line.subject, line.msg, line[`key${controls}`]]).toEqual([controls, controls, 1]);
});

const TARGET = 'https://shop.example/a?customer=7';

const report: MessageReport = {
  verdict: 'tracked',
  scope: 'ESMTP_Listener > Listen ":587"',
  queueId: '4XyZ',
  messageId: 'AAAAAAAAAAAAAAAA',
  links: [
    { part: 'html', target: TARGET, tracked: true, url: 'https://t.example/x' },
    { part: 'html', target: 'mailto:ann@shop.example', tracked: false, reason: 'scheme' },
    { part: 'text', target: 'mailto:bob@shop.example', tracked: false, reason: 'scheme' },
  ],
  bodySize: 1234,
  milliseconds: 3.06,
  problems: [],
};

type Settings = Configuration['log'];

/** The lines of one message and of an error that carries a link. */
async function written({ level, detail, format }: Pick<Settings, 'level' | 'detail' | 'format'>) {
  const file = join(folder, 'lines');
  const log = openLog({ level, detail, format, file });
  reportMessage(log.logger, noMetrics, detail, report);
  const error = Object.assign(new Error('OOM command not allowed'), {
    code: 'EOOM',
    command: { name: 'set', args: ['key', TARGET, 'ann@shop.example'] },
    input: TARGET,
  });
  log.logger.error({ err: error }, 'a link could not be looked up');
  await log.flush();
  return readFile(file, 'utf8');
}

test('one line per message, and of an error what it says', async () => {
  const text = await written({ level: 'info', detail: 'full', format: 'json' });
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { level: _level, time: _time, pid: _pid, ...message } = lines[0];
  expect(message).toEqual({
    msg: 'message tracked',
    verdict: 'tracked',
    scope: 'ESMTP_Listener > Listen ":587"',
    queueId: '4XyZ',
    messageId: 'AAAAAAAAAAAAAAAA',
    bodySize: 1234,
    found: 3,
    tracked: 1,
    leftAlone: { scheme: 2 },
    ms: 3.1,
  });
  expect(lines[1].err).toEqual({
    type: 'Error',
    code: 'EOOM',
    message: 'OOM command not allowed',
    stack: expect.stringContaining('log.test.ts'),
  });
  expect(lines).toHaveLength(2);
});

test.each<[Settings['level'], Settings['detail'], boolean, boolean]>([
  ['info', 'full', false, false],
  ['debug', 'none', false, false],
  ['debug', 'domain', true, false],
  ['debug', 'full', true, true],
])('at level %s with detail %s: host %s, URL %s', async (level, detail, host, url) => {
  for (const format of ['json', 'pretty'] as const) {
    await rm(join(folder, 'lines'), { force: true });
    const text = await written({ level, detail, format });
    expect(text.includes('shop.example')).toBe(host);
    expect(text.includes(TARGET)).toBe(url);
    expect(text.includes('ann@shop.example')).toBe(url);
  }
});

test('people read it on a terminal: a line each, with time, level and message', async () => {
  const lines = (await written({ level: 'info', detail: 'none', format: 'pretty' })).split('\n');
  const plain = lines.map((line) => stripVTControlCharacters(line));
  expect(plain[0]).toMatch(/^\[[\d:. +]+\] INFO: message tracked \{.*"queueId":"4XyZ".*\}$/);
  expect(plain[1]).toMatch(/^\[[\d:. +]+\] ERROR: a link could not be looked up $/);
});

test('the readable log holds nothing from outside that a terminal obeys', async () => {
  const file = join(folder, 'lines');
  const { logger, flush } = openLog({ level: 'info', format: 'pretty', file, detail: 'none' });
  const hostile = 'a\u001b]0;x\u0007\u009b2J\rb\u007f';
  logger.info({ campaignId: hostile, err: new Error(hostile) }, hostile);
  await flush();
  const text = await readFile(file, 'utf8');
  const colours = /\p{Cc}(?=\[\d+m)/gu;
  expect(text.replace(colours, '').replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  expect(text).toContain('a]0;x2Jb');
});
