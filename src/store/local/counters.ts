import { type FileHandle, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOf } from '../../lib/days.ts';
import {
  appendWhole,
  makeFolder,
  naming,
  openToAppend,
  openToWrite,
  removeFile,
} from '../../lib/files.ts';
import { type Logger, logFailure, silent } from '../../lib/logger.ts';
import { getOrMake, isRecord, parseJson } from '../../lib/values.ts';
import { BookedClicks } from '../booked-clicks.ts';
import type {
  ClickClass,
  ClickCounter,
  CountedClick,
  SentCounter,
  SentMessage,
} from '../counters.ts';
import { countOf } from '../counting.ts';
import { DelayedWrite } from '../delayed-write.ts';
import { SentSums } from '../sent-sums.ts';
import {
  clickLine,
  countFileName,
  dayOfCountFile,
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

/** Lines for a file of counts, and how long the file is before them. */
interface Addition {
  readonly file: string;
  readonly at: number;
  readonly text: string;
}

/**
 * Counts for reports without Redis: adds up the counts of a second, and appends them to a file of
 * the day. Clicks have a file of their own, to which nothing else is appended.
 */
export class FileCounters implements SentCounter, ClickCounter {
  readonly #options: FileCountersOptions;
  readonly #maxTotalBytes: number;
  readonly #logger: Logger;
  readonly #sent = new SentSums();
  readonly #booked = new BookedClicks();
  readonly #writing: DelayedWrite;
  #bytesUntilCheck = 0;

  constructor(options: FileCountersOptions) {
    this.#options = options;
    this.#writing = new DelayedWrite(() => this.#writeSent(), options.flushMs);
    this.#logger = options.logger ?? silent;
    this.#maxTotalBytes = options.maxTotalBytes ?? 256 * 1024 ** 2;
  }

  sent(message: SentMessage): void {
    if (this.#sent.size >= MAX_WAITING) return;
    this.#sent.count(message);
    this.#writing.schedule();
  }

  flush(): Promise<void> {
    return this.#writing.writeNow();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#writing.stop();
  }

  async #writeSent(): Promise<void> {
    for (const [day, sums] of groupBy(this.#sent.take(), (sum) => sum.day)) {
      try {
        const text = linesOf(sums, sentLine);
        await this.#makeRoom(text.length);
        await this.#writeTo(countFileName(day, HOST), openToAppend, (file) =>
          appendWhole(file, text),
        );
      } catch (error) {
        logFailure(this.#logger, 'error', error, 'counts for reports cannot be written yet');
        for (const sum of sums) this.#sent.add(sum);
        this.#writing.schedule();
      }
    }
  }

  book(click: CountedClick, by: ClickClass): void {
    this.#booked.add(click, by);
  }

  /** A portion is JSON of the additions to files. */
  async portion(): Promise<string> {
    const additions: Addition[] = [];
    for (const [day, sums] of groupBy(this.#booked.take(), ({ counted }) => counted.day)) {
      const file = countFileName(day, `${HOST}-clicks`);
      const { size } = await stat(join(this.#options.folder, file)).catch(() => ({ size: 0 }));
      additions.push({ file, at: size, text: linesOf(sums, clickLine) });
    }
    return additions.length > 0 ? JSON.stringify(additions) : '';
  }

  async count(portion: string): Promise<void> {
    const additions = parseJson(portion);
    for (const addition of Array.isArray(additions) ? additions : [undefined]) {
      if (!isAddition(addition)) {
        this.#logger.error('counts for reports are incomplete: kept clicks are not readable');
        continue;
      }
      const { file, at, text } = addition;
      try {
        await this.#makeRoom(text.length);
      } catch (error) {
        if (!(error instanceof CountsAreFull)) throw error;
        logFailure(this.#logger, 'error', error, 'clicks are not counted');
        continue;
      }
      await this.#writeTo(file, openToWrite, (handle) => writeAt(handle, at, text));
    }
  }

  async #writeTo(
    name: string,
    open: typeof openToAppend,
    write: (file: FileHandle) => Promise<void>,
  ): Promise<void> {
    const { folder } = this.#options;
    await makeFolder(folder, 0o750);
    const path = join(folder, name);
    const file = await open(path, 0o640);
    try {
      await naming(path, () => write(file));
    } finally {
      await file.close();
    }
  }

  /**
   * Removes the files of the oldest days, but none of today, until a sixteenth is free.
   * @throws CountsAreFull
   */
  async #makeRoom(bytes: number): Promise<void> {
    this.#bytesUntilCheck -= bytes;
    if (this.#bytesUntilCheck > 0) return;
    const { folder } = this.#options;
    const files = await withSizes(await listCountFiles(folder));
    const today = dayOf(Date.now());
    let total = files.reduce((all, { size }) => all + size, 0);
    for (const { day, path, size } of files) {
      if (total <= (this.#maxTotalBytes / 16) * 15 || day >= today) break;
      total -= size;
      if (await removeFile(path)) {
        this.#logger.error({ path }, 'counts for reports are full: the oldest day was removed');
      }
    }
    if (total > this.#maxTotalBytes) {
      throw new CountsAreFull(`${folder}: the counts of ${today} alone fill their limit`);
    }
    this.#bytesUntilCheck = this.#maxTotalBytes / 16;
  }
}

class CountsAreFull extends Error {}

/** @param by gives the group of each thing */
function groupBy<T>(things: readonly T[], by: (thing: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) getOrMake(groups, by(thing), () => []).push(thing);
  return groups;
}

function linesOf<T>(things: readonly T[], lineOf: (thing: T) => string): string {
  return `${things.map(lineOf).join('\n')}\n`;
}

function isAddition(value: unknown): value is Addition {
  if (!isRecord(value)) return false;
  const { file, at, text } = value;
  const isCountFile = typeof file === 'string' && dayOfCountFile(file) !== undefined;
  return isCountFile && countOf(at) !== undefined && typeof text === 'string';
}

/**
 * Writes a text at a place in a file. A process that was killed, or one that was stopped and goes
 * on, may write the same text at the same place.
 */
async function writeAt(file: FileHandle, at: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const { size } = await file.stat();
  // A file that was removed meanwhile, to make room, begins again.
  const start = Math.min(at, size);
  if (size < at + bytes.length) await writeWhole(file, start, bytes);
  // The portion is forgotten when this is done.
  await file.datasync();
}

async function writeWhole(file: FileHandle, start: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
  }
}
