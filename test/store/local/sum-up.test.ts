import { createHook } from 'node:async_hooks';
import fs, { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { REPORT_BY, type ReportQuery } from '../../../src/store/counters.ts';
import { listCountFiles } from '../../../src/store/local/count-file.ts';
import { listSums, readHead } from '../../../src/store/local/count-sums.ts';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import { countsLease, sumUpCounts } from '../../../src/store/local/sum-up.ts';
import { listFirsts } from '../../../src/store/local/summed-firsts.ts';
import { unlinkCounts } from '../../../src/store/local/unlink-counts.ts';
import type { Store } from '../../../src/store/store.ts';
import { damaged } from '../../helpers/mutations.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { settle } from '../../helpers/settle.ts';
import { countersContract } from '../counters-contract.ts';

const TODAY = '2026-11-29';
const DAY_MS = 86_400_000;
let folder: string;
let counters: FileCounters;
let log: ReturnType<typeof recordedLog>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(`${TODAY}T12:00:00Z`) });
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-sums-'));
  counters = new FileCounters({ folder, flushMs: 60_000 });
  log = recordedLog();
});
afterEach(async () => {
  await counters.close();
  rmSync(folder, { recursive: true, force: true });
  vi.useRealTimers();
});

const sumUp = (more = {}) =>
  sumUpCounts({ folder, logger: log.logger, rest: 0, worthBytes: 1, ...more });
const daysAgo = (days: number) =>
  new Date(Date.parse(TODAY) - days * DAY_MS).toISOString().slice(0, 10);

const idOf = (message: string) => message.padStart(16, 'M');

/** Counts a click on a day, and a message. */
function click(day: number, messageId: string, link = 'Shop', campaign = 'spring'): void {
  const facts = { time: Date.parse(daysAgo(day)), campaign, pathway: 'news', tags: ['vip'] };
  counters.sent({ ...facts, recipientDomain: 'x.example', links: 3 });
  counters.book(
    { ...facts, messageId: idOf(messageId), link, part: 'html', position: 0, count: 1 },
    'people',
  );
}

/** Counts some clicks on each of some days. */
async function example(days = 5): Promise<void> {
  for (let day = days - 1; day >= 0; day--) {
    for (const id of ['m1', `m${day}`]) click(day, id, 'Shop', `campaign ${day}`);
    click(day, 'm1', 'Blog', day % 2 ? '' : 'spring');
  }
  await settle(counters);
}

const FILTERS = [
  {},
  { campaign: 'spring' },
  { campaign: 'campaign 1' },
  { campaign: '' },
  { campaign: '(other)' },
  { pathway: 'news' },
  { pathway: '' },
  { tag: 'vip' },
];
const QUERIES = FILTERS.flatMap((filter) =>
  REPORT_BY.map((by): ReportQuery => ({ by, ...filter })),
);

/** Every report, or that it is not counted. */
async function reportsOf(report: FileReport, of = QUERIES) {
  return Promise.all(of.map((query) => report.report(query).catch(({ message }) => message)));
}

/** The clicks on links of a message. */
function clicksOf(message: string, links = ['Shop', 'Blog'], injectionTime = 0) {
  const of = { messageId: idOf(message), injectionTime };
  return new FileReport(folder, log.logger).clicksOf(of, links);
}

/** How often something opens a file of sums, and how many bytes of them it reads. */
async function readsOf(work: () => Promise<unknown>) {
  const { openSync, readSync } = fs;
  let [opens, bytes] = [0, 0];
  fs.openSync = (...args: unknown[]) => {
    opens++;
    return Reflect.apply(openSync, fs, args);
  };
  fs.readSync = (...args: unknown[]) => {
    const read = Reflect.apply(readSync, fs, args);
    bytes += read;
    return read;
  };
  syncBuiltinESMExports();
  await work().finally(() => {
    Object.assign(fs, { openSync, readSync });
    syncBuiltinESMExports();
  });
  return { opens, bytes };
}

describe('counters that sum up at each flush, and are read as after a start', () => {
  const journal = mkdtempSync(join(tmpdir(), 'clickmilter-summed-'));
  const events = {
    ...eventsDefaults,
    journal,
    blockList: join(journal, 'blocks'),
    optOuts: join(journal, 'opt-outs'),
    previews: join(journal, 'previews'),
  };
  const store = createLocalStore({ events }, recordedLog().logger, noMetrics);
  beforeEach(() => vi.useRealTimers());
  afterAll(async () => {
    await store.close();
    rmSync(journal, { recursive: true });
  });
  const summed: Store = {
    ...store,
    counters: {
      ...store.counters,
      async flush() {
        await settle(store.counters);
        await sumUpCounts({ folder: journal, logger: log.logger, rest: 0, worthBytes: 1 });
      },
      report: (query) => new FileReport(journal).report(query),
      clicksOf: (...of) => new FileReport(journal).clicksOf(...of),
    },
  };
  countersContract(() => summed, 3);
});

test('what is read after a start is what was read before, and what the lines alone say', async () => {
  const step = fc.record({
    days: fc.nat(3),
    message: fc.nat(5),
    link: fc.nat(2),
    campaign: fc.nat(2),
    next: fc.constantFrom('count', 'count', 'flush', 'sum up', 'view'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      const warm = new FileReport(folder, log.logger);
      const clicks = new Map<string, number>();
      let day = 20;
      for (const { days, message, link, campaign, next } of steps) {
        day = Math.max(0, day - days);
        click(day, `m${message}`, `link ${link}`, ['spring', 'campaign 1', ''][campaign]);
        const clicked = `m${message} link ${link}`;
        clicks.set(clicked, (clicks.get(clicked) ?? 0) + 1);
        if (next !== 'count') await settle(counters);
        if (next === 'sum up') await sumUp();
        if (next === 'view') await reportsOf(warm, QUERIES.slice(0, 12));
      }
      await settle(counters);
      const after = await reportsOf(new FileReport(folder, log.logger));
      expect(await reportsOf(warm)).toEqual(after);
      const links = [0, 1, 2].map((link) => `link ${link}`);
      const checkClicks = async () => {
        for (const message of ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']) {
          const expected = links.map((link) => clicks.get(`${message} ${link}`) ?? 0);
          expect(await clicksOf(message, links)).toEqual(expected);
        }
      };
      await checkClicks();
      for (const { path } of await listSums(folder)) await rm(path);
      expect(await reportsOf(new FileReport(folder, log.logger))).toEqual(after);
      await checkClicks();
      expect(log.lines).toEqual([]);
    }),
    { numRuns: 15 },
  );
});

describe('a first view', () => {
  test('hands no file of a day to a thread', async () => {
    const requestsOf = async (days: number) => {
      await example(days);
      // Lines of today are left for the view.
      await sumUp({ worthBytes: 1_000_000 });
      expect(await listSums(folder)).toHaveLength(days - 1);
      let requests = 0;
      const hook = createHook({
        init: (_id, type) => {
          if (/^(FSREQ|FILEHANDLE)/.test(type)) requests++;
        },
      }).enable();
      await reportsOf(new FileReport(folder), [{ by: 'day' }, { by: 'link', campaign: 'spring' }]);
      hook.disable();
      return requests;
    };
    const few = await requestsOf(5);
    expect(few).toBeGreaterThan(0);
    expect(await requestsOf(60)).toBe(few);
  });

  test('reads no line that is summed up', async () => {
    await example();
    const before = await reportsOf(new FileReport(folder));
    await sumUp();
    for (const { path } of await listCountFiles(folder)) {
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace(/./g, '?'));
    }
    expect(await reportsOf(new FileReport(folder))).toEqual(before);
    expect(await clicksOf('m1')).toEqual([6, 5]);
    // Lines that are added are read.
    click(0, 'm9');
    await settle(counters);
    const { total, unreadable } = await new FileReport(folder).report({ by: 'day' });
    expect([total.clicks, total.uniqueClicks, unreadable]).toEqual([16, 6, 0]);
  });

  test('reads the tables of its days and its campaign, and no others', async () => {
    await example();
    await sumUp();
    const query = { campaign: 'campaign 1', by: 'hour' } as const;
    const before = await new FileReport(folder).report(query);
    for (const file of await listSums(folder)) {
      const { day, path } = file;
      // The first clicks of today are read.
      if (day === TODAY) continue;
      // A head that was not changed vouches for the blocks behind it.
      const bytes = await readFile(path);
      const blocks = readHead(file).file.start;
      const needed = ['[[],{"campaign"', '[["campaign","campaign 1"]'].map((block) => {
        const start = bytes.indexOf(block);
        return { start, end: start < 0 ? start : bytes.indexOf(']}]', start) + 3 };
      });
      const isNeeded = (at: number) => needed.some(({ start, end }) => at >= start && at < end);
      for (let at = blocks; at < bytes.length; at++) if (!isNeeded(at)) bytes[at] = 63;
      expect(
        needed.every(({ start }) => start >= 0),
        day,
      ).toBe(day === daysAgo(1));
      await writeFile(path, bytes);
    }
    const report = new FileReport(folder, log.logger);
    expect(await report.report(query)).toEqual(before);
    expect(log.lines).toEqual([]);
    await report.report({ by: 'campaign' });
    expect(log.lines).toHaveLength(4);
  });

  test('opens a file of sums once for its head, and once for all tables of a report', async () => {
    const opensOf = async (days: number) => {
      await example(days);
      await sumUp();
      const { opens } = await readsOf(() => new FileReport(folder).report({ by: 'campaign' }));
      return opens;
    };
    const few = await opensOf(5);
    expect((await opensOf(25)) - few).toBe(2 * 20);
  });

  test('reads no more where more was clicked, nor do the clicks on a message', async () => {
    const bytesWith = async (messages: number) => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      for (let n = 0; n < messages; n++) click(1, `m${n}`);
      await settle(counters);
      await sumUp();
      click(0, 'm1');
      click(0, 'm9999');
      await settle(counters);
      const report = new FileReport(folder, log.logger);
      const view = await readsOf(async () => {
        const { total } = await report.report({ by: 'day' });
        expect(total).toMatchObject({ clicks: messages + 2, uniqueClicks: messages + 1 });
      });
      const message = await readsOf(async () => {
        expect(await clicksOf('m1')).toEqual([2, 0]);
      });
      return { view: view.bytes, message: message.bytes };
    };
    const [few, many] = [await bytesWith(200), await bytesWith(2_000)];
    expect(few.message).toBeGreaterThan(0);
    expect(many.view).toBeLessThan(2 * few.view);
    expect(many.message).toBeLessThan(2 * few.message);
  });
});

test('a view after newer sums of today reads the tables of no day again', async () => {
  await example();
  await sumUp();
  const report = new FileReport(folder, log.logger);
  await reportsOf(report);
  for (const file of await listSums(folder)) {
    const { day, path } = file;
    const bytes = await readFile(path);
    const { start } = readHead(file).file;
    if (day !== TODAY) await writeFile(path, bytes.fill(63, start));
  }
  click(0, 'm9');
  await settle(counters);
  await sumUp();
  expect((await report.report({ by: 'day' })).total.clicks).toBe(16);
  expect(log.lines).toEqual([]);
});

test('a table of sums in whose place newer ones came is read from these', async () => {
  await example();
  await sumUp();
  const report = new FileReport(folder, log.logger);
  await report.report({ by: 'day' });
  click(0, 'm9');
  click(1, 'm9');
  await settle(counters);
  await sumUp();
  expect(await reportsOf(report)).toEqual(await reportsOf(new FileReport(folder)));
  expect(log.lines).toEqual([]);
});

test('first views while five hosts count over midnight, and days are summed up, miss nothing', async () => {
  vi.setSystemTime(`${TODAY}T23:59:59Z`);
  await example();
  for (const { name, path } of await listCountFiles(folder)) {
    const text = await readFile(path, 'utf8');
    for (const host of ['a', 'b', 'c', 'd']) {
      const other = name.replace(/\.[\w-]+?(?=-clicks|\.)/, `.${host}`);
      await writeFile(join(folder, other), text.replaceAll('MMm', `MM${host}`));
    }
  }
  const some: ReportQuery[] = [{ by: 'day' }, { by: 'hour', pathway: 'news' }];
  const clicksFound = async () => {
    const reports = await reportsOf(new FileReport(folder, log.logger), some);
    return reports.map((report) => [report.total.clicks, report.total.uniqueClicks]);
  };
  let clicks = 75;
  const expected = () => some.map(() => [clicks, 25]);
  for (const time of [`${TODAY}T23:59:59Z`, '2026-11-30T00:00:00Z', '2026-11-30T00:00:01Z']) {
    vi.setSystemTime(time);
    let isSumming = true;
    const summing = sumUp().finally(() => {
      isSumming = false;
    });
    while (isSumming) expect(await clicksFound()).toEqual(expected());
    await summing;
    // A host whose clock is behind adds to the day before.
    click(0, 'm0', 'Shop', 'behind');
    click(-1, 'm0', 'Shop', 'behind');
    await settle(counters);
    clicks += 2;
    expect(await clicksFound()).toEqual(expected());
  }
  expect(log.lines).toEqual([]);
});

describe('sums that cannot be used', () => {
  const some = QUERIES.filter((_, at) => at % 5 === 0);
  const warning = (path: string | undefined) => ({
    level: 'warn',
    path,
    reason: expect.stringMatching(/^sums of counts: \w+: expected /),
    message: 'sums of counts left out: their lines are read instead',
  });
  beforeEach(() => example());

  test('damaged, cut or of another program: a log line, and their lines are read', async () => {
    await sumUp();
    for (const message of ['m1', 'm2', 'm9']) click(0, message);
    await settle(counters);
    const before = await reportsOf(new FileReport(folder), some);
    const clicksBefore = await clicksOf('m1');
    const sums = (await listSums(folder)).map(({ path }) => path);
    const all = await Promise.all(
      [...sums, ...(await listFirsts(folder))].map(async (path) => ({
        path,
        bytes: await readFile(path),
      })),
    );
    expect(all).toHaveLength(6);
    const harm = fc.oneof(
      fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, by]) => (bytes: Buffer) => {
        const changed = Buffer.from(bytes);
        changed[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by;
        return changed;
      }),
      fc.nat().map((at) => (bytes: Buffer) => bytes.subarray(0, at % bytes.length)),
      damaged(all[0]?.bytes.toString('latin1') ?? '').map(
        (text) => () => Buffer.from(text, 'latin1'),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(5), harm, async (which, change) => {
        for (const [at, { path, bytes }] of all.entries()) {
          await writeFile(path, at === which ? change(bytes) : bytes);
        }
        log.lines.length = 0;
        const report = new FileReport(folder, log.logger);
        expect(await reportsOf(report, some)).toEqual(before);
        expect(await reportsOf(report, some)).toEqual(before);
        // Tables that no report asked for are not looked at.
        for (const line of log.lines) expect(line).toMatchObject(warning(all[which]?.path));
        expect(log.lines.length).toBeLessThanOrEqual(1);
        expect(await clicksOf('m1')).toEqual(clicksBefore);
      }),
      { numRuns: 20 },
    );
    for (const { path, bytes } of all) await writeFile(path, bytes);
    for (const { path } of all.slice(5)) {
      await rm(path);
      log.lines.length = 0;
      expect(await reportsOf(new FileReport(folder, log.logger), some)).toEqual(before);
      expect(log.lines).toEqual([]);
    }
    for (const length of [0, 10, 200, (all[0]?.bytes.length ?? 0) / 2]) {
      await writeFile(all[0]?.path ?? '', all[0]?.bytes.subarray(0, length) ?? '');
      log.lines.length = 0;
      expect(await reportsOf(new FileReport(folder, log.logger), some)).toEqual(before);
      expect(log.lines).toMatchObject([warning(all[0]?.path)]);
    }
    // Those with a damaged head are made again; others when lines are added.
    await writeFile(all[1]?.path ?? '', all[1]?.bytes.subarray(0, 10) ?? '');
    await sumUp();
    click(4, 'm1', 'Shop', '');
    await settle(counters);
    await sumUp();
    await sumUp();
    log.lines.length = 0;
    const after = await reportsOf(new FileReport(folder, log.logger), some);
    expect(log.lines).toEqual([]);
    for (const { path } of await listSums(folder)) await rm(path);
    expect(await reportsOf(new FileReport(folder), some)).toEqual(after);
  });

  test('many at once: reading begins again once, not for each', async () => {
    const opensOf = async (days: number) => {
      await rm(folder, { recursive: true });
      await mkdir(folder);
      await example(days);
      await sumUp();
      const before = await reportsOf(new FileReport(folder), [{ by: 'campaign' }]);
      for (const { path } of await listSums(folder)) {
        const bytes = await readFile(path);
        const table = bytes.indexOf('[[],{"campaign"');
        bytes.fill(63, table, table + 4);
        await writeFile(path, bytes);
      }
      const { opens } = await readsOf(async () => {
        const report = new FileReport(folder, log.logger);
        expect(await reportsOf(report, [{ by: 'campaign' }])).toEqual(before);
      });
      return opens;
    };
    const few = await opensOf(5);
    expect(await opensOf(20)).toBeLessThanOrEqual(4 * few);
  });

  test('of a file that is gone or became shorter: they are not used, and removed', async () => {
    await sumUp();
    for (const { day, path } of await listCountFiles(folder)) {
      if (day === daysAgo(4)) await rm(path);
      if (day === daysAgo(3)) await writeFile(path, '');
    }
    const { rows } = await new FileReport(folder).report({ by: 'day' });
    expect(rows.map(({ key }) => key)).toEqual([daysAgo(2), daysAgo(1), TODAY]);
    expect(await listSums(folder)).toHaveLength(5);
    await sumUp();
    expect(await listSums(folder)).toHaveLength(3);
  });

  test('what a crash left is removed, and a link or folder in the place of sums hurts nobody', async () => {
    const unfinished = join(folder, `counts-${TODAY}.1764417600000.sums.17.tmp`);
    await writeFile(unfinished, '3 {"ver');
    await mkdir(join(folder, `counts-${daysAgo(2)}.1764417600002.sums`));
    const link = join(folder, `counts-${daysAgo(1)}.1764417600001.sums`);
    await symlink('none', link);
    const { total } = await new FileReport(folder, log.logger).report({ by: 'day' });
    expect(total.clicks).toBe(15);
    await sumUp();
    const left = (await readdir(folder)).filter((name) => name.includes('17644176'));
    expect(left).toEqual([`counts-${daysAgo(2)}.1764417600002.sums`]);
    expect(await listSums(folder)).toHaveLength(6);
  });
});

describe('summing up', () => {
  test('is done by one process at a time, and waits for lines of today to be worth it', async () => {
    await example();
    const other = countsLease(folder);
    expect(await other.hold()).toBe(true);
    await sumUp();
    expect(await listSums(folder)).toEqual([]);
    await other.release();
    await sumUp({ worthBytes: 1_000_000 });
    expect((await listSums(folder)).map(({ day }) => day)).toEqual([4, 3, 2, 1].map(daysAgo));
    await sumUp();
    const before = await readdir(folder);
    expect(before.filter((name) => /^counts-\d.*\.sums$/.test(name))).toHaveLength(5);
    expect(await listFirsts(folder)).toHaveLength(1);
    await sumUp();
    expect(await readdir(folder)).toEqual(before);
  });

  test('holds its right while it rests, however long that is', async () => {
    await example(2);
    vi.useRealTimers();
    const stopped = new AbortController();
    const summing = sumUp({ rest: 1e9, signal: stopped.signal });
    const file = join(folder, 'counts.lease.json');
    const until = async () => JSON.parse(await readFile(file, 'utf8')).until as number;
    await expect.poll(until).toBeGreaterThan(0);
    const first = await until();
    await expect.poll(until, { interval: 100 }).toBeGreaterThan(first);
    stopped.abort();
    await summing;
    expect(await countsLease(folder).hold()).toBe(true);
  });

  test('a torn line at the end of a file is no reason to begin again', async () => {
    await example();
    const [file] = await listCountFiles(folder);
    const handle = await open(file?.path ?? '', 'a');
    await handle.writeFile('["click2","0');
    await handle.close();
    await sumUp();
    const before = await listSums(folder);
    await sumUp();
    expect(await listSums(folder)).toEqual(before);
    const { unreadable } = await new FileReport(folder).report({ by: 'day' });
    expect(unreadable).toBe(0);
  });

  test('stops where sums fill their room, and says so', async () => {
    await example();
    const before = await reportsOf(new FileReport(folder));
    await sumUp({ maxTotalBytes: 1500 });
    const found = await listSums(folder);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(5);
    expect(log.lines).toMatchObject([
      { level: 'warn', message: expect.stringMatching(/are full/) },
    ]);
    expect(await reportsOf(new FileReport(folder))).toEqual(before);
  });

  test('removes days that are kept no longer, and their sums', async () => {
    for (const day of [0, 398, 399]) click(day, 'm1');
    await settle(counters);
    await sumUp();
    vi.setSystemTime(Date.now() + DAY_MS);
    click(-1, 'm1');
    await settle(counters);
    const days = [-1, 0, 398].map(daysAgo).sort();
    await sumUp();
    const counted = new Set((await listCountFiles(folder)).map(({ day }) => day));
    expect([...counted]).toEqual(days);
    expect((await listSums(folder)).map(({ day }) => day)).toEqual(days);
    expect(log.lines).toEqual([]);
  });

  test('removes nothing where the clock is years ahead at the start', async () => {
    await example(2);
    const before = await reportsOf(new FileReport(folder));
    vi.setSystemTime(Date.now() + 7_300 * DAY_MS);
    await sumUp();
    vi.setSystemTime(Date.now() - 7_300 * DAY_MS);
    expect(await reportsOf(new FileReport(folder))).toEqual(before);
  });

  test('makes the file of first clicks once where nobody has clicked', async () => {
    counters.sent({
      time: Date.parse(daysAgo(1)),
      links: 1,
      campaign: '',
      pathway: '',
      tags: [],
      recipientDomain: '',
    });
    await settle(counters);
    await sumUp();
    const firsts = await listFirsts(folder);
    vi.setSystemTime(Date.now() + 1);
    await sumUp();
    expect(await listFirsts(folder)).toEqual(firsts);
  });

  test('does nothing without counts', async () => {
    await rm(folder, { recursive: true });
    await sumUp();
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });
});

test('once a message is unlinked, no sums know its id, and the numbers stay', async () => {
  await example();
  await sumUp();
  const before = await reportsOf(new FileReport(folder));
  // m3 was clicked on one day.
  expect(await clicksOf('m3')).toEqual([1, 0]);
  await unlinkCounts(folder, new Set([idOf('m3')]));
  expect(await listFirsts(folder)).toEqual([]);
  expect(await clicksOf('m3')).toEqual([0, 0]);
  const left = (await listSums(folder)).map(({ day }) => day);
  expect(left).toEqual([4, 2, 1, 0].map(daysAgo));
  expect(await reportsOf(new FileReport(folder))).toEqual(before);
  await sumUp();
  expect(await reportsOf(new FileReport(folder))).toEqual(before);
});
