import { rename } from 'node:fs/promises';
import { inBackground } from '../../lib/background.ts';
import { codeOf, noneIfGone, removeFile, replaceFile } from '../../lib/files.ts';
import { type Logger, logFailure, silent } from '../../lib/logger.ts';
import { isEventLine } from '../event-line.ts';
import type { EventAppender } from '../events.ts';
import type { Journal } from './journal.ts';
import {
  type JournalFile,
  type JournalKind,
  journalPath,
  listJournal,
  mayBeWritten,
  offsetPath,
  ownedHere,
  readOffset,
} from './journal-file.ts';
import { UnreadableFiles } from './journal-reader.ts';
import { isErasedLine, readLines } from './line-reader.ts';

export interface ReplayOptions {
  readonly folder: string;
  /** The journal of this process. Its current file is ended when all of it has been replayed. */
  readonly journal: Journal;
  readonly target: EventAppender;
  /** How often to look for events to replay; default 5,000 ms. */
  readonly intervalMs?: number;
  readonly logger?: Logger;
}

/** Events in one append. */
const BATCH = 500;

/**
 * Appends the events that wait in the journal to the stream when it is back: those of this process,
 * and those of writers that are gone. A file beside each one says how far it was replayed, so that
 * an interruption repeats at most one batch.
 */
export class JournalReplay {
  readonly #options: ReplayOptions;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** Attempts in a row that the journal's folder made fail. */
  #failures = 0;
  readonly #unreadable: UnreadableFiles;
  /** How far files were replayed, by their id: on a full disk that cannot be saved. */
  readonly #offsets = new Map<string, number>();
  #running: Promise<number> | undefined;
  #stopped = false;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silent;
    this.#unreadable = new UnreadableFiles(this.#logger);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { intervalMs = 5000 } = this.#options;
    const pause = Math.min(intervalMs * 2 ** Math.min(this.#failures, 10), 60 * intervalMs);
    this.#timer = setTimeout(() => {
      inBackground('replay the journal', () => this.run().finally(() => this.#schedule()));
    }, pause).unref();
  }

  /** Replays every event that waits. @returns how many events the target took */
  run(): Promise<number> {
    this.#running ??= this.#replayAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #replayAll(): Promise<number> {
    const { folder, journal } = this.#options;
    let events = 0;
    try {
      const files = await listJournal(folder, ['pending']);
      this.#failures = 0;
      for (const file of files) {
        if (this.#stopped) break;
        const own = journal.isWriting(file);
        if (!own && (await mayBeWritten(folder, file))) continue;
        const claimed = own
          ? file
          : await claim(folder, file, 'pending').catch((error) =>
              this.#unreadable.failed(journalPath(folder, file), error),
            );
        if (!claimed) continue;
        const replayed = await this.#replayFile(claimed);
        events += replayed.events;
        if (!replayed.goOn) break;
      }
    } catch (error) {
      this.#failures += 1;
      logFailure(this.#logger, 'error', error, 'the journal could not be replayed');
    }
    if (events > 0) this.#logger.info({ events }, 'journalled clicks went to Redis');
    return events;
  }

  /** @returns `goOn`: whether to replay the next file */
  async #replayFile(file: JournalFile): Promise<{ events: number; goOn: boolean }> {
    const { folder, journal, target } = this.#options;
    const path = journalPath(folder, file);
    let offset = this.#offsets.get(file.id) ?? (await readOffset(folder, file));
    let events = 0;
    while (!this.#stopped) {
      // Asked before the file is read: it may be appended to, and ended, during the read.
      const growing = journal.isWriting(file);
      const lines = await this.#unreadable.unlessFailing(path, () =>
        readLines(path, offset, BATCH).catch(noneIfGone),
      );
      if (!lines) return { events, goOn: true };
      const last = lines.at(-1);
      // Not earlier: while the stream is away, the journal must not begin a file with each attempt.
      if (!last && growing) {
        await journal.rotate();
        continue;
      }
      if (!last) {
        if (await removeFile(path)) await removeFile(offsetPath(folder, file));
        this.#offsets.delete(file.id);
        return { events, goOn: true };
      }
      const texts = lines.map(({ text }) => text).filter((text) => !isErasedLine(text));
      const good = texts.filter(isEventLine);
      try {
        if (good.length > 0) await target.append(good);
      } catch {
        return { events, goOn: false };
      }
      if (good.length < texts.length) {
        const lines = texts.length - good.length;
        this.#logger.error({ path, lines }, 'skipped corrupt lines in the journal');
      }
      events += good.length;
      offset = last.end;
      this.#offsets.set(file.id, offset);
      await replaceFile(offsetPath(folder, file), String(offset));
    }
    return { events, goOn: false };
  }
}

/**
 * Turns pending files of dead writers into files that stay in the journal, for a service that has
 * no stream any more.
 */
export async function adoptPending(folder: string): Promise<void> {
  for (const file of await listJournal(folder, ['pending'])) {
    if (await mayBeWritten(folder, file)) continue;
    await claim(folder, file, 'events');
    await removeFile(offsetPath(folder, file));
  }
}

/** Takes a file over. Renaming is atomic, so only one process succeeds. */
async function claim(
  folder: string,
  file: JournalFile,
  kind: JournalKind,
): Promise<JournalFile | undefined> {
  const claimed = ownedHere({ kind, id: file.id });
  try {
    await rename(journalPath(folder, file), journalPath(folder, claimed));
    return claimed;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
