import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, dayOf } from '../../lib/days.ts';
import { removeFile } from '../../lib/files.ts';
import { type Logger, logFailure } from '../../lib/logger.ts';
import type { Lease } from '../events.ts';
import { KEEP_DAYS, Tallies } from '../tallies.ts';
import { listCountFiles, type SizedCountFile, withSizes } from './count-file.ts';
import {
  listSums,
  newestSums,
  readAll,
  readFirsts,
  type SumsFile,
  unfinishedSums,
  writeSums,
} from './count-sums.ts';
import { type Clicked, KnownCounts, readHeads } from './known-counts.ts';
import { FileLease } from './lease.ts';
import { writeFirsts } from './summed-firsts.ts';

export interface SumUpOptions {
  readonly folder: string;
  readonly logger: Logger;
  /** Bytes of all sums; beyond them, days are read from their lines. Default 256 MiB. */
  readonly maxTotalBytes?: number;
  /** Bytes of lines of today that are worth new sums; default 64 KiB. */
  readonly worthBytes?: number;
  /** How many times as long as it works it rests: redirects go on meanwhile. Default 3. */
  readonly rest?: number;
  /** Ends it: the next time it goes on from there. */
  readonly signal?: AbortSignal;
}

/** How long it rests until it says again that it is there: a lease ends after 10 seconds. */
const HOLD_MS = 1_000;
/** Rows of a day, in some 40 MB. */
const MAX_ROWS = 200_000;

/** The right to sum up lines of counts, or to change them. */
export function countsLease(folder: string): Lease {
  return new FileLease(folder, 'counts');
}

/**
 * Sums up the lines of counts, so that reports need not read them: all lines of each day before
 * today, and those of today when they are worth it. Removes days that are kept no longer. One
 * process at a time does so.
 */
export async function sumUpCounts(options: SumUpOptions): Promise<void> {
  const { folder, rest = 3, signal } = options;
  if ((await listCountFiles(folder)).length === 0) return;
  const lease = countsLease(folder);
  if (!(await lease.hold())) return;
  let begun = performance.now();
  const pause = async () => {
    let left = rest * (performance.now() - begun);
    do {
      await sleep(Math.min(left, HOLD_MS), undefined, { signal });
      if (!(await lease.hold())) throw new Error('another process took over');
      left -= HOLD_MS;
    } while (left > 0);
    begun = performance.now();
  };
  try {
    await sumUpDays(options, lease, pause);
    await sumUpFirsts(folder, lease, pause);
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    await lease.release();
  }
}

async function sumUpDays(
  { folder, logger, maxTotalBytes = 256 * 1024 ** 2, worthBytes = 64 * 1024, signal }: SumUpOptions,
  lease: Lease,
  pause: () => Promise<void>,
): Promise<void> {
  await removeOld(folder);
  const listed = await listSums(folder);
  const files = await withSizes(await listCountFiles(folder));
  const known = await KnownCounts.of(newestSums(listed).values(), files, () => {});
  await removeUseless(folder, listed, known);
  let total = [...known.sums.values()].reduce((all, { file }) => all + file.bytes, 0);
  const today = dayOf(Date.now());
  for (const day of new Set(files.map((file) => file.day))) {
    const ofDay = files.filter((file) => file.day === day);
    const left = ofDay.reduce((sum, file) => sum + file.size - known.bytesOf(file), 0);
    if (left === 0 || (day >= today && left < worthBytes)) continue;
    if (total >= maxTotalBytes) {
      logger.warn({ folder }, 'sums of counts are full: the first view after a start is slow');
      return;
    }
    await pause();
    try {
      total += await sumUpDay(folder, lease, day, ofDay, known, pause);
    } catch (error) {
      if (signal?.aborted) return;
      logFailure(logger, 'error', error, `counts of ${day} cannot be summed up`);
    }
  }
}

/** Puts the first clicks of the days before today into one file. */
async function sumUpFirsts(
  folder: string,
  lease: Lease,
  pause: () => Promise<void>,
): Promise<void> {
  const files = await withSizes(await listCountFiles(folder));
  const today = dayOf(Date.now());
  const sums = [...newestSums(await listSums(folder)).values()].filter(({ day }) => day < today);
  await writeFirsts(folder, lease, await readHeads(sums, files, () => {}), pause);
}

/**
 * Removes the counts of days that no report is about any more; their sums are useless then. The
 * last day is the newest that has counts: at the start the clock may be years ahead.
 */
async function removeOld(folder: string): Promise<void> {
  const today = dayOf(Date.now());
  const files = await listCountFiles(folder);
  const last = files.findLast(({ day }) => day <= today)?.day ?? today;
  const first = dayOf(Date.parse(last) - (KEEP_DAYS - 1) * DAY_MS);
  for (const { day, path } of files) if (day < first) await removeFile(path);
}

/** @returns how many bytes longer the sums are than before */
async function sumUpDay(
  folder: string,
  lease: Lease,
  day: string,
  files: readonly SizedCountFile[],
  known: KnownCounts,
  pause: () => Promise<void>,
): Promise<number> {
  const before = known.sums.get(day);
  const tallies = new Tallies(MAX_ROWS);
  const clicked: Clicked = { firsts: [], links: new Map() };
  if (before !== undefined) {
    try {
      for (const first of readFirsts(before)) clicked.firsts.push(first);
      const { tables, links } = readAll(before);
      for (const table of tables) tallies.addTable(table);
      for (const [link, clicks] of links) clicked.links.set(link, clicks);
    } catch (error) {
      // The next time, all lines of the day are summed up.
      await removeFile(before.path);
      throw error;
    }
  }
  const unreadableOfOthers = known.unreadable - (before?.unreadable ?? 0);
  const bytesRead = () => new Map(files.map((file) => [file.name, known.bytesOf(file)]));
  const readBefore = bytesRead();
  for (const file of files) await known.readOn(file, tallies, pause, clicked);
  const read = bytesRead();
  // A line without its end stays for later.
  if ([...read].every(([name, bytes]) => bytes === readBefore.get(name))) return 0;
  const lost = (await withSizes(files)).find((file) => file.size < known.bytesOf(file));
  if (lost !== undefined) throw new Error(`${lost.path}: lost lines meanwhile: its disk is full`);
  const unreadable = known.unreadable - unreadableOfOthers;
  const tables = tallies.take();
  const bytes = await writeSums(
    folder,
    lease,
    day,
    { read, unreadable, ...clicked, tables },
    before,
  );
  if (before !== undefined) await removeFile(before.path);
  return bytes - (before?.file.bytes ?? 0);
}

/** Removes files of sums that are not used, and what a crash left of them. */
async function removeUseless(
  folder: string,
  listed: readonly SumsFile[],
  known: KnownCounts,
): Promise<void> {
  const useful = new Set([...known.sums.values()].map(({ path }) => path));
  const useless = listed.map(({ path }) => path).filter((path) => !useful.has(path));
  for (const path of [...useless, ...(await unfinishedSums(folder))]) {
    // One that stays is not used: the next sums of its day are newer.
    await removeFile(path).catch(() => false);
  }
}
