import { type FileHandle, open } from 'node:fs/promises';
import { inBackground } from '../../lib/background.ts';
import { removeFile } from '../../lib/file-gone.ts';
import { makeFile, makeFolder } from '../../lib/service-files.ts';
import { StoreUnavailable } from '../../link/link-store.ts';
import type { EventAppender } from '../events.ts';
import {
  IDLE_MS,
  type JournalFile,
  type JournalKind,
  journalFiles,
  journalPath,
  newJournalFile,
} from './journal-file.ts';
import { countEventsOf, MAX_LINE } from './line-reader.ts';
import { offsetPath, readOffset } from './replay-offset.ts';

export interface JournalOptions {
  readonly folder: string;
  readonly kind: JournalKind;
  /** Bytes of all files of this kind; beyond it the oldest is removed. Default 1 GiB. */
  readonly maxTotalBytes?: number;
  /** A new file is begun beyond this size; default 64 MiB, and never more than an eighth of the total. */
  readonly maxFileBytes?: number;
  /** A new file is begun after this time; default 1 day. */
  readonly maxFileAgeMs?: number;
  /** How often a file that is not written to shows that it is in use; default a quarter of IDLE_MS. */
  readonly heartbeatMs?: number;
  /**
   * A power failure loses at most the events of this time; default 1,000 ms. 0 flushes before each answer. A killed process
   * loses none of those that were answered: these are with the kernel already.
   */
  readonly fsyncMs?: number;
  /** How long one append may take before its caller is let go; default 1,000 ms. */
  readonly writeTimeoutMs?: number;
  readonly observer?: JournalObserver;
}

export interface JournalObserver {
  /** Called when writing begins to fail, and once more with nothing when it works again. */
  failing?(error: Error | undefined): void;
  /** The limit was reached and the oldest file removed, with so many events that had not been replayed. */
  dropped?(path: string, events: number): void;
}

/** Bytes that may wait for a slow disk; beyond it events are refused. */
const MAX_WAITING_BYTES = MAX_LINE;

interface Waiting {
  readonly lines: Buffer;
  readonly settle: (error?: Error) => void;
}

interface OpenFile {
  readonly file: JournalFile;
  readonly handle: FileHandle;
  readonly opened: number;
  /** When its last change said that somebody writes it. */
  used: number;
  /** Bytes of whole lines. */
  size: number;
}

/**
 * Events as JSON lines in files of one's own. Appends that come while one is being written go
 * together into the next write.
 */
export class Journal implements EventAppender {
  readonly #options: JournalOptions;
  readonly #maxTotalBytes: number;
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
    this.#maxTotalBytes = options.maxTotalBytes ?? 1024 ** 3;
    const eighth = Math.max(1, Math.floor(this.#maxTotalBytes / 8));
    this.#maxFileBytes = Math.min(options.maxFileBytes ?? 64 * 1024 ** 2, eighth);
  }

  /** @throws StoreUnavailable when they could not be written, or not in time */
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

  /** Ends the current file: nothing is written to it any more, and the next append begins a new one. */
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
    this.#tell(error);
  }

  async #write(lines: Buffer): Promise<void> {
    const current = await this.#fileFor(lines.length);
    try {
      for (let done = 0; done < lines.length; ) {
        done += (await current.handle.write(lines, done)).bytesWritten;
      }
      if (this.#options.fsyncMs === 0) await current.handle.datasync();
    } catch (error) {
      // Half a line must not run into the next one.
      await current.handle.truncate(current.size).catch(() => this.#closeFile());
      throw error;
    }
    // Somebody removed the file: what was written to it is gone with its last handle.
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
      const { maxFileAgeMs = 86_400_000 } = this.#options;
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

  /** Clicks may be rare: their file is not to look abandoned between them, so that it need not be ended. */
  async #showUse(current: OpenFile): Promise<void> {
    const now = Date.now();
    // Too late, as after a suspend: others may have seen it already.
    if (now - current.used >= IDLE_MS) return;
    try {
      await current.handle.utimes(now / 1000, now / 1000);
      current.used = now;
    } catch {
      // Then the next append begins a new file.
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
    if (this.#fsyncTimer) return;
    this.#fsyncTimer = setTimeout(() => {
      this.#fsyncTimer = undefined;
      inBackground('flush the journal file', () => this.#fsync(current));
    }, this.#options.fsyncMs || 1000);
    this.#fsyncTimer.unref();
  }

  async #fsync(current: OpenFile): Promise<void> {
    try {
      await current.handle.datasync();
    } catch (error) {
      if (this.#current === current) this.#tell(error as Error);
    }
  }

  /** Removes files of this kind until another full one has room: first those that were not written to for longest. */
  async #makeRoom(): Promise<void> {
    const { folder, kind, observer } = this.#options;
    const files = await journalFiles(folder, [kind]);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const file of [...files].sort((a, b) => a.written - b.written)) {
      if (total + this.#maxFileBytes <= this.#maxTotalBytes) return;
      try {
        const events = await removeCounted(file.path, await readOffset(folder, file));
        total -= file.size;
        // Others make room as well, and whoever removes a file says so.
        if (events === undefined) continue;
        await removeFile(offsetPath(folder, file));
        observer?.dropped?.(file.path, events);
      } catch {
        // What cannot be removed is no reason to write no more: there are others.
      }
    }
  }

  #tell(error: Error | undefined): void {
    if (this.#failing === (error !== undefined)) return;
    this.#failing = error !== undefined;
    this.#options.observer?.failing?.(error);
  }
}

/** @returns how many events from an offset on went with the file; undefined where another was faster */
async function removeCounted(path: string, offset: number): Promise<number | undefined> {
  const handle = await open(path).catch(() => undefined);
  try {
    if (!(await removeFile(path))) return undefined;
    // Not before: its writer may append until then, and finds only afterwards that it is gone.
    return handle ? await countEventsOf(handle, offset).catch(() => 0) : 0;
  } finally {
    await handle?.close();
  }
}
