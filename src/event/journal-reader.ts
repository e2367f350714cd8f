import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EventReader, isEventLine, type StoredEvent } from '../link/event-stream.ts';
import { noneIfGone } from './file-gone.ts';
import { type JournalFile, type JournalKind, journalPath, listJournal } from './journal-file.ts';
import { readLines } from './line-reader.ts';

/** How far each file has been read, by the file's id. */
export type Offsets = ReadonlyMap<string, number>;

export interface JournalReaderOptions {
  readonly folder: string;
  readonly kinds: readonly JournalKind[];
  /** Where to begin: `oldest` (the default), `newest` for what is yet to come, or where another reader got to. */
  readonly from?: 'oldest' | 'newest' | Offsets;
  /** Where to end in each file; in one that is not named, at once. Without it reading goes on for ever. */
  readonly until?: Offsets;
  /** How often it is looked for new events; default 200 ms. */
  readonly pollMs?: number;
}

/**
 * Reads the events of all writers from the journal's files, and goes on reading as they grow. The order is that of
 * the files, then of the lines.
 */
export class JournalReader implements EventReader {
  readonly #options: JournalReaderOptions;
  readonly #offsets = new Map<string, number>();
  readonly #closed = new AbortController();
  #positioned = false;

  constructor(options: JournalReaderOptions) {
    this.#options = options;
  }

  async next(max: number, waitMs: number): Promise<readonly StoredEvent[]> {
    const deadline = performance.now() + waitMs;
    await this.#position();
    for (;;) {
      const events = await this.#read(max);
      const left = deadline - performance.now();
      if (events.length > 0 || left <= 0 || this.#closed.signal.aborted) return events;
      const pause = Math.min(left, this.#options.pollMs ?? 200);
      await sleep(pause, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  /** How far it has got in the files that still exist. */
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

  async #read(max: number): Promise<StoredEvent[]> {
    const { folder, until } = this.#options;
    const events: StoredEvent[] = [];
    const files = await this.#files();
    const existing = new Set(files.map(({ id }) => id));
    for (const id of this.#offsets.keys()) if (!existing.has(id)) this.#offsets.delete(id);
    for (const file of files) {
      while (events.length < max) {
        const offset = this.#offsets.get(file.id) ?? 0;
        const end = until ? (until.get(file.id) ?? 0) : Number.POSITIVE_INFINITY;
        if (offset >= end) break;
        const path = journalPath(folder, file);
        const found = await readLines(path, offset, max - events.length).catch(noneIfGone);
        const lines = found.filter((line) => line.end <= end);
        const last = lines.at(-1);
        if (!last) break;
        for (const { text, end } of lines) {
          if (isEventLine(text)) events.push({ id: `${file.id}:${end}`, event: text });
        }
        this.#offsets.set(file.id, last.end);
      }
    }
    return events;
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
