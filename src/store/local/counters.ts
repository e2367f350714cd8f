import { type FileHandle, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, openToAppend, removeFile } from '../../lib/files.ts';
import { type Logger, logFailure, silent } from '../../lib/logger.ts';
import { countedText } from '../counting.ts';
import { DelayedWrite } from '../delayed-write.ts';
import type { ClickCounter, CountedClick, SentCounter, SentMessage } from '../store.ts';
import {
  type ClickLine,
  clickLine,
  countFileName,
  listCountFiles,
  type SentLine,
} from './count-file.ts';
import { HOST } from './journal-file.ts';

export interface FileCountersOptions {
  readonly folder: string;
  /** Bytes of all files; beyond them the oldest days go. Default 256 MiB. */
  readonly maxTotalBytes?: number;
  /** How often counts are written; default 1,000 ms. A crash loses the counts of this time. */
  readonly flushMs?: number;
  readonly logger?: Logger;
}

/** Different lines that wait while the disk is full; further ones are not counted. */
const MAX_WAITING = 50_000;

/**
 * Counts for reports without Redis: adds up the counts of a second, and appends them to a file of
 * the day.
 */
export class FileCounters implements SentCounter, ClickCounter {
  readonly #options: FileCountersOptions;
  readonly #maxTotalBytes: number;
  readonly #logger: Logger;
  /** Lines to be written, by day and by what they count. */
  #waiting = new Map<string, { day: string; line: SentLine | ClickLine }>();
  readonly #writing: DelayedWrite;
  #bytesUntilCheck = 0;

  constructor(options: FileCountersOptions) {
    this.#options = options;
    this.#writing = new DelayedWrite(() => this.#writeAll(), options.flushMs);
    this.#logger = options.logger ?? silent;
    this.#maxTotalBytes = options.maxTotalBytes ?? 256 * 1024 ** 2;
  }

  sent({ day, campaign = '', pathway = '', links }: SentMessage): void {
    this.#add(day, ['sent', countedText(campaign), countedText(pathway), 1, links]);
  }

  clicked(click: CountedClick): void {
    this.#add(click.day, clickLine(click));
  }

  flush(): Promise<void> {
    return this.#writing.writeNow();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#writing.stop();
  }

  #add(day: string, line: SentLine | ClickLine): void {
    const key = `${day} ${keyOf(line)}`;
    const waiting = this.#waiting.get(key);
    if (!waiting && this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(key, { day, line: waiting ? sum(waiting.line, line) : line });
    this.#writing.schedule();
  }

  async #writeAll(): Promise<void> {
    const batch = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const day of new Set(batch.map((one) => one.day))) {
      const lines = batch.filter((one) => one.day === day).map(({ line }) => line);
      try {
        await this.#write(day, lines);
      } catch (error) {
        logFailure(this.#logger, 'error', error, 'counts for reports cannot be written yet');
        for (const line of lines) this.#add(day, line);
      }
    }
  }

  async #write(day: string, lines: readonly (SentLine | ClickLine)[]): Promise<void> {
    const { folder } = this.#options;
    const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
    this.#bytesUntilCheck -= text.length;
    if (this.#bytesUntilCheck <= 0) {
      await makeFolder(folder, 0o750);
      await this.#makeRoom(day);
      this.#bytesUntilCheck = this.#maxTotalBytes / 16;
    }
    const file = await openToAppend(join(folder, countFileName(day, HOST)), 0o640);
    try {
      await appendWhole(file, text);
    } finally {
      await file.close();
    }
  }

  /** Removes the files of the oldest days, but none of today, until a sixteenth is free. */
  async #makeRoom(today: string): Promise<void> {
    const files = await listCountFiles(this.#options.folder);
    const sizes = await Promise.all(
      files.map(async ({ path }) => (await stat(path).catch(() => undefined))?.size ?? 0),
    );
    let total = sizes.reduce((all, size) => all + size, 0);
    for (const [index, { day, path }] of files.entries()) {
      if (total <= (this.#maxTotalBytes / 16) * 15) return;
      if (day >= today) break;
      total -= sizes[index] ?? 0;
      if (await removeFile(path)) {
        this.#logger.error({ path }, 'counts for reports are full: the oldest day was removed');
      }
    }
    if (total > this.#maxTotalBytes) {
      throw new Error(`${this.#options.folder}: the counts of ${today} alone fill their limit`);
    }
  }
}

/**
 * Undoes a partial write, as on a full disk: the text is written again, and must not count twice.
 */
async function appendWhole(file: FileHandle, text: string): Promise<void> {
  const { size } = await file.stat();
  try {
    await file.appendFile(text);
  } catch (error) {
    await file.truncate(size).catch(() => undefined);
    throw error;
  }
}

/** What a line counts: the line without its numbers. */
function keyOf(line: SentLine | ClickLine): string {
  return line[0] === 'sent' ? line.slice(0, 3).join('\0') : line.slice(0, 5).join('\0');
}

function sum(one: SentLine | ClickLine, other: SentLine | ClickLine): SentLine | ClickLine {
  if (one[0] === 'sent' && other[0] === 'sent') {
    return ['sent', one[1], one[2], one[3] + other[3], one[4] + other[4]];
  }
  if (one[0] === 'click' && other[0] === 'click') {
    return ['click', one[1], one[2], one[3], one[4], one[5] + other[5]];
  }
  return one;
}
