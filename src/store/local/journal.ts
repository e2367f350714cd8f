import { type FileHandle, open } from 'node:fs/promises';
import { inBackground } from '../../lib/background.ts';
import { DAY_MS } from '../../lib/days.ts';
import { makeFile, makeFolder, removeFile } from '../../lib/files.ts';
import { type Logger, logFailure, silent } from '../../lib/logger.ts';
import { type Metrics, noMetrics } from '../../lib/metrics.ts';
import { StoreUnavailable } from '../../link/link-store.ts';
import type { EventAppender } from '../events.ts';
import {
  IDLE_MS,
  type JournalFile,
  type JournalKind,
  journalFiles,
  journalPath,
  newJournalFile,
  offsetPath,
  readOffset,
} from './journal-file.ts';
import { countEvents, MAX_LINE } from './line-reader.ts';

export interface JournalOptions {
  readonly folder: string;
  readonly kind: JournalKind;
  /** Bytes of all files of this kind; beyond them the oldest file is removed. */
  readonly journalMaxSize: number;
  /** Bytes of a file; default 64 MiB, and never more than an eighth of the total. */
  readonly maxFileBytes?: number;
  /** How long a file is written to; default 1 day. */
  readonly maxFileAgeMs?: number;
  /** How often an idle file shows that it is in use; default a quarter of IDLE_MS. */
  readonly heartbeatMs?: number;
  /**
   * A power failure loses at most the events of this time. 0 flushes before each answer. A killed
   * process loses no event that was answered: the kernel has it.
   */
  readonly journalFsyncMs: number;
  /** How long an append may take; default 1,000 ms. */
  readonly writeTimeoutMs?: number;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/** Bytes that may wait for a slow disk; beyond them events are refused. */
const MAX_WAITING_BYTES = MAX_LINE;

interface Waiting {
  readonly lines: Buffer;
  readonly settle: (error?: Error) => void;
}

interface OpenFile {
  readonly file: JournalFile;
  readonly handle: FileHandle;
  readonly opened: number;
  /** When the file last showed that it is in use. */
  used: number;
  /** Bytes of whole lines. */
  size: number;
}

/**
 * Writes events as JSON lines to files of its own. Appends that come during a write share the next
 * one.
 */
export class Journal implements EventAppender {
  readonly #options: JournalOptions;
  readonly #maxFileBytes: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #current: OpenFile | undefined;
  #writing: Promise<void> | undefined;
  #fsyncTimer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    const eighth = Math.max(1, Math.floor(options.journalMaxSize / 8));
    this.#maxFileBytes = Math.min(options.maxFileBytes ?? 64 * 1024 ** 2, eighth);
  }

  /** @throws StoreUnavailable when the events could not be written in time */
  async append(events: readonly string[]): Promise<void> {
    const lines = Buffer.from(`${events.join('\n')}\n`);
    if (this.#waitingBytes + lines.length > MAX_WAITING_BYTES) {
      throw new StoreUnavailable(
        `journal ${this.#options.folder}: the disk is too slow, ${this.#waitingBytes} bytes wait to be written`,
      );
    }
    const { writeTimeoutMs = 1000, folder } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new StoreUnavailable(`journal ${folder}: no answer within ${writeTimeoutMs} ms`));
      }, writeTimeoutMs);
      const settle = (error?: Error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.push({ lines, settle });
      this.#waitingBytes += lines.length;
      if (this.#writing !== undefined) return;
      const writing = this.#writeAll();
      this.#writing = writing;
      inBackground('write the journal', () => writing);
    });
  }

  /** Ends the current file; the next append begins a new one. */
  async rotate(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#closeFile();
  }

  /** Whether this journal has the file open. */
  isWriting(file: JournalFile): boolean {
    return this.#current?.file.id === file.id;
  }

  async close(): Promise<void> {
    await this.rotate();
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#writeWaiting();
    } finally {
      // Not later: an append that finds a writer relies on it.
      this.#writing = undefined;
    }
  }

  async #writeWaiting(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    const lines = Buffer.concat(batch.map((one) => one.lines));
    const error = await this.#write(lines).then(
      () => undefined,
      (cause: Error) =>
        new StoreUnavailable(`journal ${this.#options.folder}: ${cause.message}`, { cause }),
    );
    this.#waitingBytes -= lines.length;
    for (const { settle } of batch) settle(error);
    this.#report(error);
  }

  async #write(lines: Buffer): Promise<void> {
    const current = await this.#fileFor(lines.length);
    try {
      for (let done = 0; done < lines.length; ) {
        done += (await current.handle.write(lines, done)).bytesWritten;
      }
      if (this.#options.journalFsyncMs === 0) await current.handle.datasync();
    } catch (error) {
      // The next line must not follow half a line.
      await current.handle.truncate(current.size).catch(() => this.#closeFile());
      throw error;
    }
    // The file was removed: the lines in it go with its last handle.
    if ((await current.handle.stat()).nlink === 0) {
      await this.#closeFile();
      return this.#write(lines);
    }
    current.size += lines.length;
    current.used = Date.now();
    this.#scheduleFsync(current);
  }

  async #fileFor(bytes: number): Promise<OpenFile> {
    const current = this.#current;
    if (current) {
      const now = Date.now();
      const { maxFileAgeMs = DAY_MS } = this.#options;
      const full = current.size > 0 && current.size + bytes > this.#maxFileBytes;
      const old = now - current.opened >= maxFileAgeMs || now - current.used >= IDLE_MS;
      if (!full && !old) return current;
      await this.#closeFile();
    }
    return this.#openFile();
  }

  async #openFile(): Promise<OpenFile> {
    await this.#makeRoom();
    await makeFolder(this.#options.folder, 0o750);
    const now = new Date();
    const file = newJournalFile(this.#options.kind, now);
    const handle = await makeFile(journalPath(this.#options.folder, file), 0o640);
    const current = { file, handle, opened: now.getTime(), used: now.getTime(), size: 0 };
    this.#current = current;
    const { heartbeatMs = IDLE_MS / 4 } = this.#options;
    this.#heartbeat = setInterval(
      () => inBackground('touch the journal file', () => this.#showUse(current)),
      heartbeatMs,
    ).unref();
    return current;
  }

  /** Keeps the file from looking abandoned between rare clicks. */
  async #showUse(current: OpenFile): Promise<void> {
    const now = Date.now();
    // Too late, as after a suspend: another process may have taken the file over.
    if (now - current.used >= IDLE_MS) return;
    try {
      await current.handle.utimes(now / 1000, now / 1000);
      current.used = now;
    } catch {
      // The next append begins a new file.
    }
  }

  async #closeFile(): Promise<void> {
    clearTimeout(this.#fsyncTimer);
    clearInterval(this.#heartbeat);
    this.#fsyncTimer = undefined;
    const current = this.#current;
    this.#current = undefined;
    if (!current) return;
    await current.handle.datasync().catch(() => undefined);
    await current.handle.close().catch(() => undefined);
  }

  #scheduleFsync(current: OpenFile): void {
    if (this.#fsyncTimer || this.#options.journalFsyncMs === 0) return;
    this.#fsyncTimer = setTimeout(() => {
      this.#fsyncTimer = undefined;
      inBackground('flush the journal file', () => this.#fsync(current));
    }, this.#options.journalFsyncMs);
    this.#fsyncTimer.unref();
  }

  async #fsync(current: OpenFile): Promise<void> {
    try {
      await current.handle.datasync();
    } catch (error) {
      if (this.#current === current) this.#report(error as Error);
    }
  }

  /**
   * Removes files of this kind until a full one has room, beginning with those that were idle for
   * longest.
   */
  async #makeRoom(): Promise<void> {
    const { folder, kind, journalMaxSize } = this.#options;
    const files = await journalFiles(folder, [kind]);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const file of [...files].sort((a, b) => a.written - b.written)) {
      if (total + this.#maxFileBytes <= journalMaxSize) return;
      try {
        const events = await removeCounted(file.path, await readOffset(folder, file));
        total -= file.size;
        // Another process was faster, and reports the loss.
        if (events === undefined) continue;
        await removeFile(offsetPath(folder, file));
        this.#reportDropped(file.path, events);
      } catch {
        // There are other files to remove.
      }
    }
  }

  #reportDropped(path: string, events: number): void {
    const { kind, logger = silent, metrics = noMetrics } = this.#options;
    if (kind === 'events') {
      logger.warn({ path, events }, 'the journal is full: its oldest file was removed');
    } else {
      metrics.count('clicks_total', { outcome: 'lost', automatic: '' }, events);
      logger.error({ path, events }, 'the journal is full: clicks that Redis never got are lost');
    }
  }

  #report(error: Error | undefined): void {
    if (this.#failing === (error !== undefined)) return;
    this.#failing = error !== undefined;
    const { logger = silent } = this.#options;
    if (error === undefined) logger.info('the journal can be written again');
    else logFailure(logger, 'error', error, 'the journal cannot be written: clicks may be lost');
  }
}

/**
 * Removes a file of the journal.
 * @returns how many events from an offset on went with it; undefined where another process removed
 * it
 */
export async function removeCounted(path: string, offset: number): Promise<number | undefined> {
  const handle = await open(path).catch(() => undefined);
  try {
    if (!(await removeFile(path))) return undefined;
    // Counted after the removal: until then the writer may append.
    return handle ? await countEvents(handle, offset).catch(() => 0) : 0;
  } finally {
    await handle?.close();
  }
}
