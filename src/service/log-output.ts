import { close, mkdir, open, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DestinationStream } from 'pino';
import { leadsToJournal, withSeverity } from '../lib/systemd-journal.ts';

/** How long a line may wait for others, and how many characters of them are held at most before they are written. */
const GATHER_MS = 50;
const GATHER_LENGTH = 65_536;

/** Characters that wait at most where they cannot be written; what comes then is lost. */
const MAX_LENGTH = 8 * 1024 * 1024;

/** Between two attempts, where one failed, and where a pipe is full. */
const RETRY_MS = 1000;
const FULL_PIPE_MS = 10;

/** How long the end of the process waits for somebody who does not read, or a disk that does not answer. */
const FLUSH_MS = 3000;

const openFile = promisify(open);
const makeFolder = promisify(mkdir);
const append = promisify(write);

/**
 * Appends lines to a file, or to the standard output: many at a time, since each write costs more than a line, and
 * never so that anybody waits for them. While they cannot be written (a full disk, nobody who reads), they are held
 * within bounds and then lost, which is told once on stderr; the service goes on.
 */
export class LogOutput implements DestinationStream {
  readonly #file: string | undefined;
  readonly #onLost: (lines: number) => void;
  #descriptor: number | undefined;
  #reopen = false;
  #held = '';
  /** What is left of the lines that are being written. */
  #piece = Buffer.alloc(0);
  #writing: Promise<boolean> | undefined;
  #scheduled = false;
  #failing = false;
  #lost = 0;

  /**
   * @param file default: the standard output
   * @param onLost told of lines that were lost, once others can be written again, so that they say so where they are missing
   */
  constructor(file: string | undefined, onLost: (lines: number) => void) {
    this.#file = file;
    this.#onLost = onLost;
    if (file === undefined) this.#descriptor = 1;
  }

  write(line: string): void {
    if (this.#held.length + line.length > MAX_LENGTH) {
      if (this.#lost++ === 0) this.#fail('is not written as fast as lines come: they are lost');
      return;
    }
    this.#held += line;
    if (this.#held.length >= GATHER_LENGTH && !this.#failing) this.#passInBackground();
    else this.#schedule(GATHER_MS);
  }

  /** Opens the file anew before anything else is written, for logrotate; where that fails the old one stays in use. */
  reopen(): void {
    this.#reopen = this.#file !== undefined;
    this.#passInBackground();
  }

  /** Settles when everything is written, or it is clear that it will not be. */
  async flush(): Promise<void> {
    const late = new AbortController();
    const all = async () => {
      while (this.#waiting && (await this.#pass()));
    };
    await Promise.race([
      all(),
      sleep(FLUSH_MS, undefined, { signal: late.signal }).catch(() => {}),
    ]);
    late.abort();
  }

  /** For the end of a process that comes without a `flush`, when nothing happens later any more. */
  flushNow(): void {
    if (this.#descriptor === undefined || this.#held === '') return;
    try {
      writeSync(this.#descriptor, this.#held);
    } catch {
      // Lost; there is nobody left to tell.
    }
    this.#held = '';
  }

  get #waiting(): boolean {
    return this.#piece.length > 0 || this.#held !== '';
  }

  #schedule(ms: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#passInBackground();
    }, ms).unref();
  }

  #passInBackground(): void {
    // What fails there tells so on stderr itself.
    this.#pass().catch(() => {});
  }

  /** Writes what is held; one write at a time, so that lines keep their order. @returns whether it could be written */
  #pass(): Promise<boolean> {
    this.#writing ??= this.#writeHeld();
    return this.#writing;
  }

  async #writeHeld(): Promise<boolean> {
    try {
      do {
        await this.#writePiece();
      } while (this.#held.length >= GATHER_LENGTH);
      this.#failing = false;
      return true;
    } catch (error) {
      this.#fail(`cannot be written: ${(error as Error).message}`);
      return false;
    } finally {
      this.#writing = undefined;
      if (this.#waiting) this.#schedule(this.#failing ? RETRY_MS : GATHER_MS);
    }
  }

  /** What an attempt that failed has left, or else all that is held. */
  async #writePiece(): Promise<void> {
    const descriptor = await this.#output();
    if (this.#piece.length === 0) this.#take();
    while (this.#piece.length > 0) {
      try {
        const { bytesWritten } = await append(descriptor, this.#piece);
        this.#piece = this.#piece.subarray(bytesWritten);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await sleep(FULL_PIPE_MS, undefined, { ref: false });
      }
    }
  }

  #take(): void {
    this.#piece = Buffer.from(this.#held);
    this.#held = '';
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) this.#onLost(lost);
  }

  /** The descriptor to write to, opened where need be. */
  async #output(): Promise<number> {
    const old = this.#descriptor;
    if (this.#file === undefined || (old !== undefined && !this.#reopen)) return old ?? 1;
    this.#reopen = false;
    try {
      await makeFolder(dirname(this.#file), { recursive: true });
      this.#descriptor = await openFile(this.#file, 'a');
    } catch (error) {
      if (old === undefined) throw error;
      this.#tell(`cannot be opened again, the old file stays in use: ${(error as Error).message}`);
      return old;
    }
    if (old !== undefined) close(old, () => {});
    return this.#descriptor;
  }

  #fail(how: string): void {
    if (!this.#failing) this.#tell(how);
    this.#failing = true;
  }

  /** On stderr, and not waiting for it either: it may lead to the same place. */
  #tell(what: string): void {
    const place = this.#file ?? 'the standard output';
    const line = `clickmilter: the log (${place}) ${what}\n`;
    write(2, leadsToJournal(2) ? withSeverity(line, 'error') : line, () => {});
  }
}
