import { hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { NumberSet } from '../../lib/number-set.ts';
import { clickNumbers, countedText, dayAndHour } from '../counting.ts';
import { ReportSum } from '../report-sum.ts';
import type { Report, ReportQuery, Reports, SentAt } from '../store.ts';
import { Tallies } from '../tallies.ts';
import {
  type ClickSum,
  type CountFile,
  type CountLine,
  listCountFiles,
  readCountFile,
} from './count-file.ts';

/**
 * Messages and links whose first click is remembered, in some 130 MB; first clicks on others are
 * not counted as such.
 */
const MAX_FOLLOWED = 8_000_000;
/** Rows of all tables, in some 200 MB. */
const MAX_ROWS = 1_000_000;
const DAY_MS = 86_400_000;

/**
 * Reports what FileCounters counted. The first report reads all files, each further one what was
 * added to them. Raw and unique clicks belong to the day of the first click that is kept.
 */
export class FileReport implements Reports {
  readonly #folder: string;
  readonly #logger: Logger;
  #tallies = new Tallies(MAX_ROWS);
  /** How much of each file has been read. */
  #read = new Map<string, number>();
  /** Messages and links that have been clicked, and by people, by digest. */
  #clicked = new NumberSet();
  #days = new Set<string>();
  #unreadable = 0;
  #reading: Promise<void> = Promise.resolve();
  /** A reading that has not begun: the reports of one view share it. */
  #next: Promise<void> | undefined;

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
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#readOn();
      });
    this.#reading = this.#next;
    await this.#reading;
    const { firstDay, query } = sum;
    for (const day of this.#days) {
      if (day < firstDay || day > (query.until ?? '9999')) continue;
      this.#addDay(sum, day);
    }
    sum.unreadable += this.#unreadable;
  }

  #addDay(sum: ReportSum, day: string): void {
    const { table, keys } = sum.totalOf(day);
    const totals = this.#tallies.rowsOf(table);
    const found = keys.flatMap((key) => totals.get(key) ?? []);
    for (const numbers of found) sum.addTotal(day, numbers);
    const rows = found.length > 0 ? sum.tableOf(day) : undefined;
    if (rows === undefined) return;
    for (const [key, numbers] of this.#tallies.rowsOf(rows)) sum.addRow(key, numbers);
  }

  async #readOn(): Promise<void> {
    const files = await listCountFiles(this.#folder);
    const sizes = await Promise.all(
      files.map(async ({ path }) => (await stat(path).catch(() => undefined))?.size ?? 0),
    );
    if (files.some(({ path }, at) => (sizes[at] ?? 0) < (this.#read.get(path) ?? 0)))
      this.#forget();
    for (const [at, file] of files.entries()) {
      const from = this.#read.get(file.path) ?? 0;
      if (from > 0 && sizes[at] === from) continue;
      for await (const { lines, end } of this.#portionsOf(file, from)) {
        for (const line of lines) this.#add(line);
        this.#read.set(file.path, end);
        this.#days.add(file.day);
      }
    }
  }

  /** Begins again, since a file lost what was read of it: its writer met a full disk. */
  #forget(): void {
    this.#tallies = new Tallies(MAX_ROWS);
    this.#read = new Map();
    this.#clicked = new NumberSet();
    this.#days = new Set();
    this.#unreadable = 0;
  }

  #add(line: CountLine | undefined): void {
    if (line === undefined) {
      this.#unreadable++;
    } else if ('sent' in line) {
      const { messages, links } = line.sent;
      this.#tallies.add(line.sent, { messages, links });
    } else {
      const { counted, clicks } = line.clicked;
      this.#tallies.add(counted, clickNumbers(clicks, this.#firstsOf(line.clicked)));
    }
  }

  #firstsOf({ messageId, counted, clicks }: ClickSum) {
    const [message, link] = [digest(messageId), digest(`${messageId} ${counted.link.label}`)];
    const isOfPeople = clicks.people > 0;
    return {
      link: this.#isFirst(link),
      message: this.#isFirst(message),
      linkOfPeople: isOfPeople && this.#isFirst(-link),
      messageOfPeople: isOfPeople && this.#isFirst(-message),
    };
  }

  #isFirst(id: number): boolean {
    return this.#clicked.size < MAX_FOLLOWED && this.#clicked.add(id);
  }

  async clicksOf(
    { messageId, injectionTime }: SentAt,
    links: readonly string[],
  ): Promise<readonly number[]> {
    const found = new Map<string, number>();
    // Another host may have counted by a clock that is a little behind.
    const { day: firstDay } = dayAndHour(injectionTime * 1000 - DAY_MS);
    for (const file of await listCountFiles(this.#folder)) {
      if (file.day < firstDay) continue;
      for await (const { lines } of this.#portionsOf(file, 0, messageId)) {
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
    return links.map((link) => found.get(countedText(link)) ?? 0);
  }

  async *#portionsOf(file: CountFile, from: number, about?: string) {
    try {
      yield* readCountFile(file, from, about);
    } catch (error) {
      // The oldest files are removed at any time.
      if (codeOf(error) === 'ENOENT') return;
      const { path } = file;
      this.#logger.warn({ path, reason: (error as Error).message }, 'counts of a file left out');
    }
  }
}

/** A number of 48 bits, not 0. */
function digest(text: string): number {
  return hash('sha256', text, 'buffer').readUIntBE(0, 6) || 1;
}
