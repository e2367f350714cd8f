import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import type { CountedClick } from '../../../src/store/store.ts';
import { recordedLog } from '../../helpers/recorded.ts';

let folder: string;
let counters: FileCounters;
let report: FileReport;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-counts-'));
  counters = new FileCounters({ folder });
  report = new FileReport(folder);
});
afterEach(async () => {
  await counters.close();
  await rm(folder, { recursive: true, force: true });
});

const [MONDAY, TUESDAY] = ['2026-11-23', '2026-11-24'];

function click(messageId: string, link: string, more: Partial<CountedClick> = {}): void {
  counters.clicked({ day: MONDAY, messageId, link, count: 1, campaign: 'spring', ...more });
}

/** Two messages of a campaign, one without; clicks on two days. */
async function example(): Promise<void> {
  counters.sent({ day: MONDAY, campaign: 'spring', pathway: 'news', links: 10 });
  counters.sent({ day: MONDAY, campaign: 'spring', pathway: 'news', links: 20 });
  counters.sent({ day: TUESDAY, links: 5 });
  click('m1', 'Shop', { pathway: 'news' });
  click('m1', 'Shop', { pathway: 'news', count: 3 });
  click('m1', 'Blog', { pathway: 'news' });
  click('m2', 'Shop', { pathway: 'news' });
  await counters.flush();
  click('m1', 'Shop', { pathway: 'news', day: TUESDAY });
  counters.clicked({ day: TUESDAY, messageId: 'm3', link: 'https://example.org/', count: 1 });
  await counters.flush();
}

const numbers = (messages: number, links: number, clicks: number, raw: number, unique: number) => ({
  messages,
  links,
  clicks,
  rawClicks: raw,
  uniqueClicks: unique,
});

describe('reports without Redis', () => {
  beforeEach(example);
  const total = { key: '', ...numbers(3, 35, 8, 4, 3) };

  test('by campaign', async () => {
    expect(await report.report({ by: 'campaign' })).toMatchObject({
      rows: [
        { key: '', ...numbers(1, 5, 1, 1, 1) },
        { key: 'spring', ...numbers(2, 30, 7, 3, 2) },
      ],
      total,
    });
  });

  test('by pathway', async () => {
    expect(await report.report({ by: 'pathway' })).toMatchObject({
      rows: [
        { key: '', ...numbers(1, 5, 1, 1, 1) },
        { key: 'news', ...numbers(2, 30, 7, 3, 2) },
      ],
      total,
    });
  });

  test('by day: the first click of a link and of a message belongs to its day', async () => {
    expect(await report.report({ by: 'day' })).toMatchObject({
      rows: [
        { key: MONDAY, ...numbers(2, 30, 6, 3, 2) },
        { key: TUESDAY, ...numbers(1, 5, 2, 1, 1) },
      ],
      total,
    });
  });

  test('by link there are clicks only', async () => {
    const row = (key: string, clicks: number, once: number) => ({
      key,
      clicks,
      rawClicks: once,
      uniqueClicks: once,
    });
    const { rows, total: sum } = await report.report({ by: 'link' });
    expect(rows).toEqual([row('Blog', 1, 1), row('Shop', 6, 2), row('https://example.org/', 1, 1)]);
    // Of three messages: that two of one's links were followed makes it no second message.
    expect(sum).toEqual({ ...row('', 8, 4), uniqueClicks: 3 });
  });

  test('of a campaign, and of some days', async () => {
    const spring = await report.report({ by: 'day', campaign: 'spring' });
    expect(spring.total).toEqual({ key: '', ...numbers(2, 30, 7, 3, 2) });
    const monday = await report.report({ by: 'day', until: MONDAY });
    expect(monday.rows.map(({ key }) => key)).toEqual([MONDAY]);
    const tuesday = await report.report({ by: 'campaign', since: TUESDAY });
    expect(tuesday.total).toEqual({ key: '', ...numbers(1, 5, 2, 1, 1) });
    const links = await report.report({ by: 'link', since: TUESDAY });
    expect(links.rows.map(({ key, uniqueClicks }) => [key, uniqueClicks])).toEqual([
      ['Shop', 0],
      ['https://example.org/', 1],
    ]);
    expect((await report.report({ by: 'day', campaign: 'none' })).rows).toEqual([]);
  });

  test('clicks of one link', async () => {
    expect(await report.clicksOf('m1', 'Shop')).toBe(5);
    expect(await report.clicksOf('m1', 'Sho')).toBe(0);
    expect(await report.clicksOf('m9', 'Shop')).toBe(0);
  });
});

describe('the files', () => {
  test('what is counted within a second is added up', async () => {
    for (let n = 0; n < 1000; n++) {
      counters.sent({ day: MONDAY, campaign: 'spring', links: 3 });
      click('m1', 'Shop');
    }
    await counters.flush();
    const [name = ''] = await readdir(folder);
    expect(name).toMatch(/^counts-2026-11-23\.[\w-]+\.\d+\.jsonl$/);
    expect(await readFile(join(folder, name), 'utf8')).toBe(
      '["sent","spring","",1000,3000]\n["click","m1","spring","","Shop",1000]\n',
    );
  });

  test('of several processes are one, and half a line hurts nobody', async () => {
    await example();
    await writeFile(
      join(folder, 'counts-2026-11-23.other.1.jsonl'),
      '["sent","spring","news",1,1]\n["click","m1","spring","news","Shop",1]\n["click","m1","spr',
    );
    await appendFile(join(folder, 'notes.txt'), 'not ours');
    const { total } = await report.report({ by: 'campaign' });
    expect(total).toEqual({ key: '', ...numbers(4, 36, 9, 4, 3) });
  });

  test('one that cannot be read is left out of the report, which says so', async () => {
    await example();
    await mkdir(join(folder, 'counts-2026-11-23.other.1.jsonl'));
    await symlink('loop', join(folder, 'loop'));
    await symlink('loop', join(folder, 'counts-2026-11-24.other.1.jsonl'));
    await symlink('gone', join(folder, 'counts-2026-11-25.other.1.jsonl'));
    const { logger, lines } = recordedLog();
    const telling = new FileReport(folder, logger);
    expect((await telling.report({ by: 'day' })).total).toMatchObject(numbers(3, 35, 8, 4, 3));
    expect(lines).toMatchObject([
      {
        path: join(folder, 'counts-2026-11-23.other.1.jsonl'),
        reason: 'EISDIR: illegal operation on a directory, read',
      },
      {
        path: join(folder, 'counts-2026-11-24.other.1.jsonl'),
        reason: expect.stringContaining('ELOOP'),
      },
    ]);
    expect(await telling.clicksOf('m1', 'Shop')).toBe(5);
  });

  test('nothing is written through a symbolic link', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, '');
    counters.sent({ day: MONDAY, links: 1 });
    await counters.flush();
    const [name = ''] = await readdir(folder);
    await rm(join(folder, name));
    await symlink(elsewhere, join(folder, name));
    counters.sent({ day: MONDAY, links: 1 });
    await counters.flush();
    expect(await readFile(elsewhere, 'utf8')).toBe('');
    await rm(join(folder, name));
  });

  test('a folder that is not there has no counts', async () => {
    const { rows } = await new FileReport(join(folder, 'none')).report({ by: 'day' });
    expect(rows).toEqual([]);
  });

  test('beyond the limit the oldest days go, and that is said', async () => {
    const { logger, lines } = recordedLog();
    const small = new FileCounters({ folder, maxTotalBytes: 20_000, logger });
    for (let day = 1; day <= 28; day++) {
      for (let n = 0; n < 30; n++) {
        const date = `2026-11-${String(day).padStart(2, '0')}`;
        small.clicked({ day: date, messageId: `message-${n}`, link: 'x'.repeat(50), count: 1 });
      }
      await small.flush();
    }
    expect(lines.length).toBeGreaterThan(10);
    expect(lines[0]?.['path']).toContain('2026-11-01');
    const { rows } = await report.report({ by: 'day' });
    expect(rows.at(-1)?.key).toBe('2026-11-28');
    expect(rows.length).toBeLessThan(10);
  });

  test('several make room at once: none fails, and each file is said to be gone once', async () => {
    const { logger, lines } = recordedLog();
    for (let day = 1; day <= 20; day++) {
      const date = `2026-10-${String(day).padStart(2, '0')}`;
      await writeFile(join(folder, `counts-${date}.other.1.jsonl`), 'x'.repeat(1_000));
    }
    const several = Array.from(
      { length: 4 },
      () => new FileCounters({ folder, maxTotalBytes: 5_000, logger }),
    );
    for (const one of several) one.sent({ day: MONDAY, links: 1 });
    await Promise.all(several.map((one) => one.close()));
    // Each line is about a removed file, and none about a failure.
    expect(lines).toHaveLength(16);
    expect(new Set(lines.map(({ path }) => path)).size).toBe(16);
    expect((await report.report({ by: 'day' })).total.messages).toBe(4);
  });

  test('a disk that cannot be written: kept, added up, written when it can', async () => {
    const { logger, lines } = recordedLog();
    const blocked = join(folder, 'file');
    await writeFile(blocked, '');
    const waiting = new FileCounters({
      folder: join(blocked, 'counts'),
      logger,
    });
    waiting.sent({ day: MONDAY, links: 1 });
    await waiting.flush();
    waiting.sent({ day: MONDAY, links: 1 });
    await waiting.flush();
    expect(lines).toMatchObject([{ level: 'error', reason: expect.stringMatching(/ENOTDIR/) }]);
    await rm(blocked);
    await mkdir(blocked);
    await waiting.close();
    const { total } = await new FileReport(join(blocked, 'counts')).report({ by: 'day' });
    expect(total).toEqual({ key: '', ...numbers(2, 2, 0, 0, 0) });
  });
});
