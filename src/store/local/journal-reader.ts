import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { fieldsOfEvent } from '../event-line.ts';
import type { StoredEvent, StreamReader } from '../events.ts';
import { READ_BYTES } from '../events.ts';
import {
  isAbandoned,
  type JournalFile,
  type JournalKind,
  journalPath,
  listJournal,
} from './journal-file.ts';
import { isErasedLine, type Line, readLines } from './line-reader.ts';

/** How far each file has been read, by the id of the file. */
export type Offsets = ReadonlyMap<string, number>;

export interface JournalReaderOptions {
  readonly folder: string;
  readonly kinds: readonly JournalKind[];
  /**
   * Where to begin: `oldest` (the default), `newest` for events from now on, or the place of
   * another reader.
   */
  readonly from?: 'oldest' | 'newest' | Offsets;
  /**
   * Where to end in each file; a file that is not named is not read. Absent: reading never ends.
   */
  readonly until?: Offsets;
  /** How often to look for new events; default 200 ms. */
  readonly pollMs?: number;
  /** How often to check files that seem to have no writer any more; default 60,000 ms. */
  readonly lookAgainMs?: number;
  /** Files that cannot be read are left out, and tried again. */
  readonly unreadable?: UnreadableFiles;
}

/**
 * Reads the events of all writers from the files of the journal, and goes on as they grow. The
 * order is that of the files, then of the lines.
 */
export class JournalReader implements StreamReader {
  skipped = 0;
  readonly #options: JournalReaderOptions;
  readonly #unreadable: UnreadableFiles;
  readonly #offsets = new Map<string, number>();
  /**
   * When to check files again that were read to their end and seem to have no writer, by
   * performance.now. There may be years of them, but the clock by which they seem abandoned may
   * have jumped.
   */
  readonly #resting = new Map<string, number>();
  readonly #closed = new AbortController();
  #positioned = false;

  constructor(options: JournalReaderOptions) {
    this.#options = options;
    this.#unreadable = options.unreadable ?? new UnreadableFiles(silent);
  }

  async next(max: number, waitMs: number, maxBytes = READ_BYTES): Promise<readonly StoredEvent[]> {
    const deadline = performance.now() + waitMs;
    await this.#position();
    for (;;) {
      const events = await this.#read(max, maxBytes);
      const left = deadline - performance.now();
      if (events.length > 0 || left <= 0 || this.#closed.signal.aborted) return events;
      const pause = Math.min(left, this.#options.pollMs ?? 200);
      await sleep(pause, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  /** How far the files that still exist have been read. */
  get offsets(): Offsets {
    return this.#offsets;
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  async #position(): Promise<void> {
    if (this.#positioned) return;
    this.#positioned = true;
    const { from = 'oldest', folder } = this.#options;
    if (from === 'oldest') return;
    if (from !== 'newest') {
      for (const [id, offset] of from) this.#offsets.set(id, offset);
      return;
    }
    for (const file of await this.#files()) {
      this.#offsets.set(file.id, await sizeOf(journalPath(folder, file)));
    }
  }

  #files(): Promise<JournalFile[]> {
    return listJournal(this.#options.folder, this.#options.kinds);
  }

  async #read(max: number, maxBytes: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    let left = maxBytes;
    const files = await this.#files();
    this.#forgetAllBut(new Set(files.map(({ id }) => id)));
    for (const file of files) {
      if (events.length >= max || left <= 0) break;
      if ((this.#resting.get(file.id) ?? 0) > performance.now()) continue;
      const path = journalPath(this.#options.folder, file);
      const read = () => this.#readFile(file.id, path, max, left, events);
      left = (await this.#unreadable.unlessFailing(path, read)) ?? left;
    }
    return events;
  }

  #forgetAllBut(existing: ReadonlySet<string>): void {
    for (const known of [this.#offsets, this.#resting]) {
      for (const id of known.keys()) if (!existing.has(id)) known.delete(id);
    }
  }

  /**
   * @param events receives the events of the file, up to `max` in total, and up to `maxBytes` of
   * this file
   * @returns how many bytes may still be read; 0 where the next event had no room
   */
  async #readFile(
    id: string,
    path: string,
    max: number,
    maxBytes: number,
    events: StoredEvent[],
  ): Promise<number> {
    const { until, lookAgainMs = 60_000 } = this.#options;
    const end = until ? (until.get(id) ?? 0) : Number.POSITIVE_INFINITY;
    const placeOf = () => this.#offsets.get(id) ?? 0;
    let left = maxBytes;
    if (placeOf() >= end) return left;
    const { size, mtimeMs } = await stat(path);
    while (placeOf() < size && events.length < max && left > 0) {
      const found = await readLines(path, placeOf(), max - events.length, left);
      if (found.length === 0) break;
      for (const line of found) {
        if (line.end > end) return left;
        const event = eventIn(id, line);
        if (event !== undefined) {
          left -= Buffer.byteLength(line.text);
          if (left < 0 && events.length > 0) return 0;
          events.push(event);
        } else if (!isErasedLine(line.text)) {
          this.skipped++;
        }
        this.#offsets.set(id, line.end);
      }
    }
    if (events.length < max && left > 0 && isAbandoned(mtimeMs)) {
      this.#resting.set(id, performance.now() + lookAgainMs);
    }
    return left;
  }
}

/** The event in a line. @param id of the file @returns undefined for a line that is not an event */
export function eventIn(id: string, { text, end }: Line): StoredEvent | undefined {
  const fields = fieldsOfEvent(text);
  return fields && { id: `${id}:${end}`, event: text, fields };
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/**
 * Files that cannot be read for now. Each is logged once, and once more after it could be read in
 * between.
 */
export class UnreadableFiles {
  readonly #known = new Set<string>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Uses a file. @returns undefined where it is gone, or fails */
  async unlessFailing<T>(path: string, use: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await use();
      this.#known.delete(path);
      return result;
    } catch (error) {
      this.failed(path, error);
      return undefined;
    }
  }

  failed(path: string, error: unknown): void {
    if (codeOf(error) === 'ENOENT' || this.#known.has(path)) return;
    this.#known.add(path);
    const reason = (error as Error).message;
    this.#logger.warn({ path, reason }, 'file left out until it can be read');
  }
}
