import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { dayAndHour } from '../../lib/days.ts';
import { makeFolder, openToAppend, removeFile } from '../../lib/files.ts';
import { type Logger, logFailure, silent } from '../../lib/logger.ts';
import type {
  ClickClass,
  ClickCounter,
  CountedClick,
  SentCounter,
  SentMessage,
} from '../counters.ts';
import { addClasses, byClass, countedKeys, countedText } from '../counting.ts';
import { DelayedWrite } from '../delayed-write.ts';
import { SentSums } from '../sent-sums.ts';
import {
  type ClickSum,
  clickLine,
  countFileName,
  listCountFiles,
  sentLine,
  withSizes,
} from './count-file.ts';
import { HOST } from './journal-file.ts';

export interface FileCountersOptions {
  readonly folder: string;
  /** Bytes of all files; beyond them the oldest days go. Default 256 MiB. */
  readonly maxTotalBytes?: number;
  /** How often counts are written; default 1,000 ms. A crash loses the messages of this time. */
  readonly flushMs?: number;
  readonly logger?: Logger;
}

/** Sums that wait while the disk is full; further ones are not counted. */
const MAX_WAITING = 50_000;

/**
 * Counts for reports without Redis: adds up the counts of a second, and appends them to a file of
 * the day.
 */
export class FileCounters implements SentCounter, ClickCounter {
  readonly #options: FileCountersOptions;
  readonly #maxTotalBytes: number;
  readonly #logger: Logger;
  readonly #sent = new SentSums();
  /** Clicks, by what they count. */
  #clicked = new Map<string, ClickSum>();
  readonly #writing: DelayedWrite;
  #bytesUntilCheck = 0;

  constructor(options: FileCountersOptions) {
    this.#options = options;
    this.#writing = new DelayedWrite(() => this.#writeAll(), options.flushMs);
    this.#logger = options.logger ?? silent;
    this.#maxTotalBytes = options.maxTotalBytes ?? 256 * 1024 ** 2;
  }

  sent(message: SentMessage): void {
    if (this.#isFull) return;
    this.#sent.count(message);
    this.#writing.schedule();
  }

  book(click: CountedClick, by: ClickClass): void {
    const { messageId, part, position, time } = click;
    const link = {
      label: countedText(click.link),
      part,
      ...(position !== undefined && { position }),
    };
    const counted = { ...countedKeys(click), ...dayAndHour(time), link };
    this.#addClick({ messageId, clicks: byClass(click, by), counted });
    this.#writing.schedule();
  }

  #addClick(sum: ClickSum): void {
    const { messageId, counted, clicks } = sum;
    const { hour, link } = counted;
    const key = `${hour} ${messageId} ${link.part} ${link.position} ${link.label}`;
    const known = this.#clicked.get(key);
    if (known !== undefined) known.clicks = addClasses(known.clicks, clicks);
    else if (!this.#isFull) this.#clicked.set(key, sum);
  }

  get #isFull(): boolean {
    return this.#sent.size + this.#clicked.size >= MAX_WAITING;
  }

  flush(): Promise<void> {
    return this.#writing.writeNow();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#writing.stop();
  }

  async #writeAll(): Promise<void> {
    const sent = this.#sent.take();
    const clicked = [...this.#clicked.values()];
    this.#clicked = new Map();
    for (const day of new Set(
      [...sent, ...clicked.map(({ counted }) => counted)].map(({ day }) => day),
    )) {
      const sentThen = sent.filter((sum) => sum.day === day);
      const clickedThen = clicked.filter(({ counted }) => counted.day === day);
      try {
        await this.#write(day, [...sentThen.map(sentLine), ...clickedThen.map(clickLine)]);
      } catch (error) {
        logFailure(this.#logger, 'error', error, 'counts for reports cannot be written yet');
        for (const sum of sentThen) this.#sent.add(sum);
        for (const sum of clickedThen) this.#addClick(sum);
        this.#writing.schedule();
      }
    }
  }

  async #write(day: string, lines: readonly string[]): Promise<void> {
    const { folder } = this.#options;
    const text = `${lines.join('\n')}\n`;
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
    const files = await withSizes(await listCountFiles(this.#options.folder));
    let total = files.reduce((all, { size }) => all + size, 0);
    for (const { day, path, size } of files) {
      if (total <= (this.#maxTotalBytes / 16) * 15) return;
      if (day >= today) break;
      total -= size;
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
