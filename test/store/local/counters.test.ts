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
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClickClass, CountedClick, SentMessage } from '../../../src/store/counters.ts';
import { listCountFiles } from '../../../src/store/local/count-file.ts';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { settle } from '../../helpers/settle.ts';

let folder: string;
let counters: FileCounters;
let report: FileReport;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-29T12:00:00Z') });
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-counts-'));
  counters = new FileCounters({ folder });
  report = new FileReport(folder);
});
afterEach(async () => {
  await counters.close();
  await rm(folder, { recursive: true, force: true });
  vi.useRealTimers();
});

const [MONDAY, TUESDAY] = ['2026-11-23', '2026-11-24'];

type Click = Partial<Omit<CountedClick, 'time'>> & { readonly day?: string };

function book(click: Click, by: ClickClass = 'people', to = counters): void {
  const { day = MONDAY, ...more } = click;
  const usual = { messageId: 'm1', link: 'Shop', part: 'html', count: 1 } as const;
  to.book({ ...usual, time: Date.parse(day), ...more }, by);
}

function click(messageId: string, link: string, more: Click = {}): void {
  book({ messageId, link, campaign: 'spring', ...more });
}

function sent(day: string, links: number, more: Partial<SentMessage> = {}, by = counters): void {
  by.sent({ time: Date.parse(day), links, ...more });
}

/** Two messages of a campaign, one without; clicks on two days. */
async function example(): Promise<void> {
  sent(MONDAY, 10, { campaign: 'spring', pathway: 'news' });
  sent(MONDAY, 20, { campaign: 'spring', pathway: 'news' });
  sent(TUESDAY, 5);
  click('m1', 'Shop', { pathway: 'news' });
  click('m1', 'Shop', { pathway: 'news', count: 3 });
  click('m1', 'Blog', { pathway: 'news' });
  click('m2', 'Shop', { pathway: 'news' });
  await settle(counters);
  click('m1', 'Shop', { pathway: 'news', day: TUESDAY });
  book({ day: TUESDAY, messageId: 'm3', link: 'https://example.org/' });
  await settle(counters);
}

const numbers = (messages: number, links: number, clicks: number, raw: number, unique: number) => ({
  messages,
  links,
  clicks,
  rawClicks: raw,
  uniqueClicks: unique,
  peopleClicks: clicks,
  peopleRawClicks: raw,
  peopleUniqueClicks: unique,
  automaticClicks: 0,
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
    const row = (key: string, clicks: number, once: number) => {
      const { messages, links, ...rest } = numbers(0, 0, clicks, once, once);
      return { key, ...rest };
    };
    const { rows, total: sum } = await report.report({ by: 'link' });
    expect(rows).toEqual([row('Blog', 1, 1), row('Shop', 6, 2), row('https://example.org/', 1, 1)]);
    // Of three messages: that two of one's links were followed makes it no second message.
    expect(sum).toEqual({ ...row('', 8, 4), uniqueClicks: 3, peopleUniqueClicks: 3 });
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

  test('clicks of the links of a message, on files from its injection on', async () => {
    const clicksOf = (messageId: string, injectedOn: string) =>
      report.clicksOf({ messageId, injectionTime: Date.parse(injectedOn) / 1000 }, ['Sho', 'Shop']);
    expect(await clicksOf('m1', MONDAY)).toEqual([0, 5]);
    expect(await clicksOf('m9', MONDAY)).toEqual([0, 0]);
    expect(await clicksOf('m1', '2026-11-30')).toEqual([0, 0]);
  });
});

describe('the files', () => {
  test('what is counted within a second is added up', async () => {
    for (let n = 0; n < 1000; n++) {
      sent(MONDAY, 3, { campaign: 'spring', recipientDomain: 'x.example', tags: ['vip'] });
      click('m1', 'Shop');
    }
    await settle(counters);
    const names = (await readdir(folder)).sort();
    for (const name of names) expect(name).toMatch(/^counts-2026-11-23\.[\w-]+\.\d+\.jsonl$/);
    expect(await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).toEqual([
      '["click2","00","m1","spring","","",[],"html",0,"Shop",1000,0]\n',
      '["sent2","00","spring","","x.example",["vip"],1000,3000]\n',
    ]);
  });

  test('of several processes and releases are one, and half a line hurts nobody', async () => {
    await example();
    await writeFile(
      join(folder, 'counts-2026-11-23.other.1.jsonl'),
      '["sent","spring","news",1,1]\n["click","m1","spring","news","Shop",1]\n["click","m1","spr',
    );
    await appendFile(join(folder, 'notes.txt'), 'not ours');
    // The class of what earlier releases counted is not known.
    const expected = { ...numbers(4, 36, 9, 4, 3), peopleClicks: 8 };
    const { total } = await report.report({ by: 'campaign' });
    expect(total).toEqual({ key: '', ...expected });
    const { rows } = await report.report({ by: 'hour' });
    expect(rows.map(({ key, clicks }) => [key, clicks])).toEqual([
      ['(unknown)', 1],
      [`${MONDAY}T00`, 6],
      [`${TUESDAY}T00`, 2],
    ]);
    const places = await report.report({ by: 'position', campaign: 'spring' });
    expect(places.rows.map(({ key }) => key)).toContain('(unknown) - Shop');
    expect((await report.report({ by: 'link', campaign: 'spring' })).rows).toMatchObject([
      { key: 'Blog', clicks: 1 },
      { key: 'Shop', clicks: 7, peopleClicks: 6 },
    ]);
  });

  test('are read once: the next report reads what was added', async () => {
    await example();
    const before = await report.report({ by: 'link' });
    for (const { path } of await listCountFiles(folder)) {
      const text = await readFile(path, 'utf8');
      // Whoever reads it again finds nothing.
      await writeFile(path, text.replace(/./g, ' '));
    }
    expect(await report.report({ by: 'link' })).toEqual(before);
    click('m1', 'Shop', { pathway: 'news' });
    await settle(counters);
    expect((await report.report({ by: 'day' })).total).toEqual({
      key: '',
      ...numbers(3, 35, 9, 4, 3),
    });
  });

  test('one that became shorter is read again', async () => {
    await example();
    await report.report({ by: 'day' });
    for (const { path } of await listCountFiles(folder)) await writeFile(path, '');
    sent(MONDAY, 1);
    await settle(counters);
    expect((await report.report({ by: 'day' })).total).toMatchObject({ messages: 1, clicks: 0 });
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
    expect(await telling.clicksOf({ messageId: 'm1', injectionTime: 0 }, ['Shop'])).toEqual([5]);
  });

  test('nothing is written through a symbolic link', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, '');
    sent(MONDAY, 1);
    await settle(counters);
    const [name = ''] = await readdir(folder);
    await rm(join(folder, name));
    await symlink(elsewhere, join(folder, name));
    sent(MONDAY, 1);
    await settle(counters);
    expect(await readFile(elsewhere, 'utf8')).toBe('');
    await rm(join(folder, name));
  });

  test('a portion that cannot be read writes nothing, and that is said', async () => {
    const { logger, lines } = recordedLog();
    const one = new FileCounters({ folder, logger });
    const outside = { file: '../counts-2026-11-23.host.1.jsonl', at: 0, text: 'x' };
    const unplaced = { file: 'counts-2026-11-23.host.1.jsonl', at: -1, text: 'x' };
    const portions = ['nonsense', '7', ...[outside, unplaced].map((one) => JSON.stringify([one]))];
    for (const portion of portions) await one.count(portion);
    expect(lines).toHaveLength(portions.length);
    expect(await readdir(folder)).toEqual([]);
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
        book({ day: date, messageId: `message-${n}`, link: 'x'.repeat(50) }, 'people', small);
      }
      await settle(small);
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
    for (const one of several) sent(MONDAY, 1, {}, one);
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
    sent(MONDAY, 1, {}, waiting);
    await settle(waiting);
    sent(MONDAY, 1, {}, waiting);
    await settle(waiting);
    expect(lines).toMatchObject([{ level: 'error', reason: expect.stringMatching(/ENOTDIR/) }]);
    await rm(blocked);
    await mkdir(blocked);
    await waiting.close();
    const { total } = await new FileReport(join(blocked, 'counts')).report({ by: 'day' });
    expect(total).toEqual({ key: '', ...numbers(2, 2, 0, 0, 0) });
  });
});
