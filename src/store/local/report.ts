import { DAY_MS, dayOf } from '../../lib/days.ts';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { Turns } from '../../lib/turns.ts';
import type { Report, ReportQuery, Reports, SentAt } from '../counters.ts';
import { allOf, countedText, type Numbers } from '../counting.ts';
import { ReportSum } from '../report-sum.ts';
import { Tallies } from '../tallies.ts';
import {
  type CountFile,
  listCountFiles,
  namesIn,
  readCountFile,
  type SizedCountFile,
  withSizes,
} from './count-file.ts';
import { hasRow, listSums, newestSums, readClicks, type SumsFile } from './count-sums.ts';
import { KnownCounts, linkNumber, readHeads } from './known-counts.ts';
import { LostFirsts, listFirsts } from './summed-firsts.ts';
import { SummedTables } from './summed-tables.ts';

/** Rows of the tables of lines, in some 200 MB. */
const MAX_ROWS = 1_000_000;

/** What reports read from. It goes on with the lines that are added to the files. */
interface Reading {
  /** The days of which there were sums when it began. */
  readonly summedDays: ReadonlySet<string>;
  readonly known: KnownCounts;
  /** The lines that are in no sums. */
  readonly tallies: Tallies;
  /** The tables of sums that were asked for. */
  readonly summed: SummedTables;
  /** The days of which there are counts. */
  days: readonly string[];
}

/**
 * Reports what FileCounters counted. A report reads the tables that it needs from the files of
 * sums, and the lines that were added since, once. Raw and unique clicks belong to the day of the
 * first click that is kept.
 */
export class FileReport implements Reports {
  readonly #folder: string;
  readonly #logger: Logger;
  #reading: Reading | undefined;
  /** Files of sums that cannot be read: their lines are read instead. */
  readonly #unusable = new Set<string>();
  #looking: Promise<unknown> = Promise.resolve();
  /** A look at the files that has not begun: the reports of one view share it. */
  #next: Promise<Reading> | undefined;

  constructor(folder: string, logger: Logger = silent) {
    this.#folder = folder;
    this.#logger = logger;
  }

  async report(query: ReportQuery): Promise<Report> {
    return (await this.sum(query)).report();
  }

  /** Adds up a report, to which other counts may be added. */
  async sum(query: ReportQuery): Promise<ReportSum> {
    for (;;) {
      const sum = new ReportSum(query);
      if (await this.#addDays(sum, await this.#lookAgain())) return sum;
    }
  }

  #lookAgain(): Promise<Reading> {
    this.#next ??= this.#looking
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#look();
      });
    this.#looking = this.#next;
    return this.#next;
  }

  async #look(): Promise<Reading> {
    for (;;) {
      try {
        return await this.#readOn();
      } catch (error) {
        if (!(error instanceof LostFirsts)) throw error;
        this.#leaveOut(error, error.cause);
      }
    }
  }

  async #readOn(): Promise<Reading> {
    const names = await namesIn(this.#folder);
    const sums = await listSums(this.#folder, names);
    const files = await withSizes(await listCountFiles(this.#folder, names));
    const firsts = (await listFirsts(this.#folder, names)).at(-1);
    const there = new Set([...sums.map(({ path }) => path), firsts]);
    for (const path of this.#unusable) if (!there.has(path)) this.#unusable.delete(path);
    const listed = this.#newest(sums);
    const before = this.#reading;
    const isGoneOn = before !== undefined && isOf(before, listed, files);
    const reading = isGoneOn ? before : await this.#begin(listed, files, firsts);
    this.#reading = reading;
    const { known, tallies } = reading;
    const turns = new Turns();
    for (const file of files) {
      const bytes = known.bytesOf(file);
      if (bytes > 0 && bytes === file.size) continue;
      await this.#orWithout(file, () => known.readOn(file, tallies, turns.next));
    }
    reading.days = [...new Set(files.map(({ day }) => day))];
    reading.summed.makeRoom();
    return reading;
  }

  #newest(sums: readonly SumsFile[]): ReadonlyMap<string, SumsFile> {
    return newestSums(sums.filter(({ path }) => !this.#unusable.has(path)));
  }

  async #begin(
    listed: ReadonlyMap<string, SumsFile>,
    files: readonly SizedCountFile[],
    firsts: string | undefined,
  ): Promise<Reading> {
    const known = await KnownCounts.of(
      listed.values(),
      files,
      (...failed) => this.#leaveOut(...failed),
      firsts !== undefined && this.#unusable.has(firsts) ? undefined : firsts,
    );
    const tallies = new Tallies(MAX_ROWS);
    const summedDays = new Set(listed.keys());
    return { summedDays, known, tallies, summed: new SummedTables(), days: [] };
  }

  /**
   * Adds the days that a report is about: what is summed up, and the lines after that.
   * @returns false where a file of sums cannot be read: its lines have to be read instead
   */
  async #addDays(sum: ReportSum, { known, tallies, summed, days }: Reading): Promise<boolean> {
    const { firstDay, query, scope } = sum;
    const { until = '9999' } = query;
    const turns = new Turns();
    let isWhole = true;
    for (const day of days) {
      if (day < firstDay || day > until) continue;
      const { table: total, keys } = sum.totalOf(day);
      const table = sum.tableOf(day);
      const tables = table === undefined ? [total] : [total, table];
      const found: ReadonlyMap<string, Numbers>[][] = [tables.map((one) => tallies.rowsOf(one))];
      const head = known.sums.get(day);
      if (head !== undefined && (scope === undefined || hasRow(head, scope))) {
        try {
          found.push(summed.rowsOf(head, tables));
        } catch (error) {
          // Others that cannot be read are found, too: reading begins again once for all of them.
          this.#leaveOut(head, error);
          isWhole = false;
        }
      }
      addDay(sum, day, keys, found);
      await turns.next();
    }
    sum.unreadable += known.unreadable;
    return isWhole;
  }

  #leaveOut({ path }: { readonly path: string }, error: unknown): void {
    // What it has of the day cannot be completed: the next look begins again.
    this.#reading = undefined;
    const isKnown = this.#unusable.has(path);
    this.#unusable.add(path);
    // A newer one took its place.
    if (isKnown || codeOf(error) === 'ENOENT') return;
    const { message: reason } = error as Error;
    this.#logger.warn({ path, reason }, 'sums of counts left out: their lines are read instead');
  }

  async clicksOf(
    { messageId, injectionTime }: SentAt,
    links: readonly string[],
  ): Promise<readonly number[]> {
    const labels = links.map(countedText);
    // Another host may have counted by a clock that is a little behind.
    const firstDay = dayOf(injectionTime * 1000 - DAY_MS);
    for (;;) {
      const clicks = new Map(labels.map((label) => [label, 0]));
      if (await this.#addClicks(messageId, firstDay, clicks))
        return labels.map((label) => clicks.get(label) ?? 0);
    }
  }

  /**
   * Adds the clicks on links of a message: those that are summed up, and of the lines after them.
   * @param clicks of each link, by its label
   * @returns false where sums cannot be read: others have to be
   */
  async #addClicks(
    messageId: string,
    firstDay: string,
    clicks: Map<string, number>,
  ): Promise<boolean> {
    const isAsked = ({ day }: { readonly day: string }) => day >= firstDay;
    const names = await namesIn(this.#folder);
    const sums = this.#newest((await listSums(this.#folder, names)).filter(isAsked));
    const files = await withSizes((await listCountFiles(this.#folder, names)).filter(isAsked));
    const turns = new Turns();
    const read = new Map<string, number>();
    let isWhole = true;
    const failed = (file: { readonly path: string }, error: unknown) => {
      isWhole = false;
      this.#leaveOut(file, error);
    };
    for (const head of await readHeads(sums.values(), files, failed)) {
      try {
        for (const [label, sum] of clicks)
          clicks.set(label, sum + readClicks(head, linkNumber(messageId, label)));
      } catch (error) {
        failed(head, error);
      }
      for (const [name, bytes] of head.read) read.set(name, bytes);
      await turns.next();
    }
    for (const file of isWhole ? files : []) {
      const from = read.get(file.name) ?? 0;
      if (from < file.size)
        await this.#orWithout(file, () => addClicksIn(file, from, messageId, clicks));
    }
    return isWhole;
  }

  async #orWithout({ path }: CountFile, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (error instanceof LostFirsts) throw error;
      // The oldest files are removed at any time.
      if (codeOf(error) === 'ENOENT') return;
      this.#logger.warn({ path, reason: (error as Error).message }, 'counts of a file left out');
    }
  }
}

/**
 * Whether what was read can be gone on with: newer sums of a day say nothing that is not known.
 * Lines may be lost: the writer of a file met a full disk.
 */
function isOf(
  { summedDays, known }: Reading,
  sums: ReadonlyMap<string, SumsFile>,
  files: readonly SizedCountFile[],
): boolean {
  const isSame =
    sums.size === summedDays.size && [...sums.keys()].every((day) => summedDays.has(day));
  return isSame && known.isOf(files);
}

/** @param found where something was counted: the rows with the total, and those of the report */
function addDay(
  sum: ReportSum,
  day: string,
  keys: readonly string[],
  found: readonly (readonly ReadonlyMap<string, Numbers>[])[],
): void {
  let isCounted = false;
  for (const [totals] of found) {
    for (const key of keys) {
      const numbers = totals?.get(key);
      if (numbers === undefined) continue;
      sum.addTotal(day, numbers);
      isCounted = true;
    }
  }
  if (!isCounted) return;
  for (const [, rows = []] of found) for (const [key, numbers] of rows) sum.addRow(key, numbers);
}

/** Adds the clicks on links of a message in the lines of a file. */
async function addClicksIn(
  file: CountFile,
  from: number,
  messageId: string,
  clicks: Map<string, number>,
): Promise<void> {
  for await (const { lines } of readCountFile(file, from, messageId)) {
    for (const line of lines) {
      if (line === undefined || !('clicked' in line)) continue;
      if (line.clicked.messageId !== messageId) continue;
      const { label } = line.clicked.counted.link;
      const sum = clicks.get(label);
      if (sum !== undefined) clicks.set(label, sum + allOf(line.clicked.clicks));
    }
  }
}
