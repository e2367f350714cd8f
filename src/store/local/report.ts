import { DAY_MS, dayOf } from '../../lib/days.ts';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { Turns } from '../../lib/turns.ts';
import type { Report, ReportQuery, Reports, SentAt } from '../counters.ts';
import { countedText } from '../counting.ts';
import { ReportSum } from '../report-sum.ts';
import { Tallies } from '../tallies.ts';
import {
  type CountFile,
  listCountFiles,
  readCountFile,
  type SizedCountFile,
  withSizes,
} from './count-file.ts';
import {
  blockName,
  hasRow,
  listSums,
  newestSums,
  readTables,
  type SumsFile,
} from './count-sums.ts';
import { KnownCounts } from './known-counts.ts';

/** Rows of all tables, in some 200 MB. */
const MAX_ROWS = 1_000_000;

/** What reports read from. It goes on with the lines that are added to the files. */
interface Reading {
  /** The days of which there were sums when it began. */
  readonly summed: ReadonlySet<string>;
  readonly known: KnownCounts;
  /** The lines that are in no sums, and the tables of sums that were asked for. */
  readonly tallies: Tallies;
  readonly loaded: Set<string>;
  /** The days of which there are counts. */
  days: ReadonlySet<string>;
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
    const sum = new ReportSum(query);
    await this.addTo(sum);
    return sum.report();
  }

  async addTo(sum: ReportSum): Promise<void> {
    let [reading, days] = await this.#readFor(sum);
    while (!(await this.#load(sum, reading, days))) [reading, days] = await this.#readFor(sum);
    for (const day of days) addDay(sum, day, reading.tallies);
    sum.unreadable += reading.known.unreadable;
  }

  /** Reads on. @returns the days that the report is about, too */
  async #readFor({ firstDay, query }: ReportSum): Promise<[Reading, readonly string[]]> {
    const reading = await this.#lookAgain();
    const { until = '9999' } = query;
    return [reading, [...reading.days].filter((day) => day >= firstDay && day <= until)];
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
    const sums = await listSums(this.#folder);
    const files = await withSizes(await listCountFiles(this.#folder));
    const gone = [...this.#unusable].filter((path) => !sums.some((file) => file.path === path));
    for (const path of gone) this.#unusable.delete(path);
    const listed = newestSums(sums.filter(({ path }) => !this.#unusable.has(path)));
    const before = this.#reading;
    const isGoneOn = before !== undefined && isOf(before, listed, files);
    const reading = isGoneOn ? before : await this.#begin(listed, files);
    this.#reading = reading;
    const { known, tallies } = reading;
    const turns = new Turns();
    for (const file of files) {
      const bytes = known.bytesOf(file);
      if (bytes > 0 && bytes === file.size) continue;
      await this.#orWithout(file, () => known.readOn(file, tallies, turns.next));
    }
    reading.days = new Set(files.map(({ day }) => day));
    return reading;
  }

  async #begin(
    listed: ReadonlyMap<string, SumsFile>,
    files: readonly SizedCountFile[],
  ): Promise<Reading> {
    const known = await KnownCounts.of(listed.values(), files, (...failed) =>
      this.#leaveOut(...failed),
    );
    const tallies = new Tallies(MAX_ROWS);
    const summed = new Set(listed.keys());
    return { summed, known, tallies, loaded: new Set(), days: new Set() };
  }

  /**
   * Loads the tables of sums that a report is about.
   * @returns false where a file cannot be read: its lines have to be read instead
   */
  async #load(
    sum: ReportSum,
    { known, tallies, loaded }: Reading,
    days: readonly string[],
  ): Promise<boolean> {
    const { scope } = sum;
    const turns = new Turns();
    for (const day of days) {
      const head = known.sums.get(day);
      if (head === undefined || (scope !== undefined && !hasRow(head, scope))) continue;
      for (const table of [sum.totalOf(day).table, sum.tableOf(day)]) {
        if (table === undefined) continue;
        const name = `${day} ${blockName(table)}`;
        if (loaded.has(name)) continue;
        try {
          for (const rows of readTables(head, table)) tallies.addTable(rows);
        } catch (error) {
          this.#leaveOut(head, error);
          return false;
        }
        loaded.add(name);
      }
      await turns.next();
    }
    return true;
  }

  #leaveOut({ path }: SumsFile, error: unknown): void {
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
    const found = new Map<string, number>();
    // Another host may have counted by a clock that is a little behind.
    const firstDay = dayOf(injectionTime * 1000 - DAY_MS);
    for (const file of await listCountFiles(this.#folder)) {
      if (file.day < firstDay) continue;
      await this.#orWithout(file, () => addClicksOf(messageId, file, found));
    }
    return links.map((link) => found.get(countedText(link)) ?? 0);
  }

  async #orWithout({ path }: CountFile, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
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
  { summed, known, tallies, loaded }: Reading,
  sums: ReadonlyMap<string, SumsFile>,
  files: readonly SizedCountFile[],
): boolean {
  const isSame = sums.size === summed.size && [...sums.keys()].every((day) => summed.has(day));
  return isSame && known.isOf(files) && !(tallies.isFull && loaded.size > 0);
}

function addDay(sum: ReportSum, day: string, tallies: Tallies): void {
  const { table, keys } = sum.totalOf(day);
  const totals = tallies.rowsOf(table);
  const found = keys.flatMap((key) => totals.get(key) ?? []);
  for (const numbers of found) sum.addTotal(day, numbers);
  const rows = found.length > 0 ? sum.tableOf(day) : undefined;
  if (rows === undefined) return;
  for (const [key, numbers] of tallies.rowsOf(rows)) sum.addRow(key, numbers);
}

/** Adds the clicks on the links of a message in one file. */
async function addClicksOf(messageId: string, file: CountFile, found: Map<string, number>) {
  for await (const { lines } of readCountFile(file, 0, messageId)) {
    for (const line of lines) {
      if (line === undefined || !('clicked' in line)) continue;
      const { counted, clicks } = line.clicked;
      if (line.clicked.messageId !== messageId) continue;
      const { label } = counted.link;
      const sum = clicks.people + clicks.automatic + (clicks.unknown ?? 0);
      found.set(label, (found.get(label) ?? 0) + sum);
    }
  }
}
