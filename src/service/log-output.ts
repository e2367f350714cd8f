import { close, constants, mkdir, open, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DestinationStream } from 'pino';
import { leadsToJournal, withSeverity } from '../lib/systemd-journal.ts';

/**
 * Lines are written together: after this many milliseconds, or once they have this many characters.
 */
const GATHER_MS = 50;
const GATHER_LENGTH = 65_536;

/** As `a`; but opening a pipe that nobody reads fails, and keeps no thread for ever. */
const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
const APPENDING = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;

/** The most characters that wait while they cannot be written; further lines are lost. */
const MAX_LENGTH = 8 * 1024 * 1024;

/** Milliseconds between two attempts: after a failure, and while a pipe is full. */
const RETRY_MS = 1000;
const FULL_PIPE_MS = 10;

/**
 * Milliseconds that the end of the process waits for a reader that does not read, or a disk that
 * does not answer.
 */
const FLUSH_MS = 3000;

const openFile = promisify(open);
const makeFolder = promisify(mkdir);
const append = promisify(write);

/**
 * Appends lines to a file, or to the standard output. It writes many lines at a time, since each
 * write costs more than a line, and never makes the service wait. Lines that cannot be written (a
 * full disk, a reader that does not read) are held within bounds and then lost, which is reported
 * once on stderr; the service goes on.
 */
export class LogOutput implements DestinationStream {
  readonly #file: string | undefined;
  readonly #onLost: (lines: number) => void;
  #descriptor: number | undefined;
  #reopen = false;
  #held = '';
  /** The rest of the lines that are being written. */
  #piece = Buffer.alloc(0);
  #writing: Promise<boolean> | undefined;
  #scheduled = false;
  #failing = false;
  #lost = 0;

  /**
   * @param file default: the standard output
   * @param onLost called with the number of lines lost, once lines can be written again: it can log
   * that where they are missing
   */
  constructor(file: string | undefined, onLost: (lines: number) => void) {
    this.#file = file;
    this.#onLost = onLost;
    if (file === undefined) this.#descriptor = 1;
  }

  write(line: string): void {
    if (this.#held.length + line.length > MAX_LENGTH) {
      if (this.#lost++ === 0) this.#fail('cannot be written as fast as lines come: lines are lost');
      return;
    }
    this.#held += line;
    if (this.#held.length >= GATHER_LENGTH && !this.#failing) this.#passInBackground();
    else this.#schedule(GATHER_MS);
  }

  /**
   * Opens the file again before the next write, for logrotate. Where that fails the old file stays
   * in use.
   */
  reopen(): void {
    this.#reopen = this.#file !== undefined;
    this.#passInBackground();
  }

  /** Settles when all lines are written, or it is clear that they cannot be. */
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

  /** Writes all lines synchronously, for a process that ends without `flush`. */
  flushNow(): void {
    if (this.#descriptor === undefined || this.#held === '') return;
    try {
      writeSync(this.#descriptor, this.#held);
    } catch {
      // These lines are lost, and the process ends.
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
    // A failure is reported on stderr where it happens.
    this.#pass().catch(() => {});
  }

  /**
   * Writes the lines that wait, one write at a time, so that they keep their order.
   * @returns whether it succeeded
   */
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

  /** Writes the rest of a failed attempt, or else all lines that wait. */
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

  /** The descriptor to write to; opens the file where that is necessary. */
  async #output(): Promise<number> {
    const old = this.#descriptor;
    if (this.#file === undefined || (old !== undefined && !this.#reopen)) return old ?? 1;
    this.#reopen = false;
    try {
      await makeFolder(dirname(this.#file), { recursive: true });
      this.#descriptor = await openFile(this.#file, APPENDING, 0o666);
    } catch (error) {
      if (old === undefined) throw error;
      this.#complain(
        `cannot be opened again, the old file stays in use: ${(error as Error).message}`,
      );
      return old;
    }
    if (old !== undefined) close(old, () => {});
    return this.#descriptor;
  }

  #fail(problem: string): void {
    if (!this.#failing) this.#complain(problem);
    this.#failing = true;
  }

  /** Reports on stderr, without waiting: stderr may lead to the same place. */
  #complain(problem: string): void {
    const place = this.#file ?? 'the standard output';
    const line = `clickmilter: the log (${place}) ${problem}\n`;
    write(2, leadsToJournal(2) ? withSeverity(line, 'error') : line, () => {});
  }
}
