import { rename } from 'node:fs/promises';
import { inBackground } from '../../lib/background.ts';
import { noneIfGone, removeFile } from '../../lib/file-gone.ts';
import { replaceFile } from '../../lib/replace-file.ts';
import { type EventAppender, isEventLine } from '../events.ts';
import type { Journal } from './journal.ts';
import {
  type JournalFile,
  type JournalKind,
  journalPath,
  listJournal,
  mayBeWritten,
  ownedHere,
} from './journal-file.ts';
import { isErasedLine, type Line, readLines } from './line-reader.ts';
import { offsetPath, readOffset } from './replay-offset.ts';
import { UnreadableFiles } from './unreadable-files.ts';

export interface ReplayOptions {
  readonly folder: string;
  /** The journal of this process, whose own file is ended when all of it has been replayed. */
  readonly journal: Journal;
  readonly target: EventAppender;
  /** How often it is looked for events to replay; default 5,000 ms. */
  readonly intervalMs?: number;
  readonly observer?: ReplayObserver;
}

export interface ReplayObserver {
  replayed?(events: number): void;
  /** Lines that are no events were passed over. */
  damaged?(path: string, lines: number): void;
  /** A file cannot be read and is left out until it can be. */
  leftOut?(message: string): void;
  /** The replay goes on later. Not called for a target that is away. */
  failed?(error: unknown): void;
}

/** Events handed over at a time. */
const BATCH = 500;

/**
 * Hands the events that wait in the journal over to the stream when it is back: those of this process and those of
 * writers that are gone. How far a file has got is kept beside it, so that an interruption repeats one batch at most.
 */
export class JournalReplay {
  readonly #options: ReplayOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #unreadable: UnreadableFiles;
  #running: Promise<number> | undefined;
  #stopped = false;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#unreadable = new UnreadableFiles((message) => options.observer?.leftOut?.(message));
    this.#timer = setInterval(
      () => inBackground('replay the journal', () => this.run()),
      options.intervalMs ?? 5000,
    );
    this.#timer.unref();
  }

  /** Replays what there is; @returns how many events the target took */
  run(): Promise<number> {
    this.#running ??= this.#replayAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #replayAll(): Promise<number> {
    const { folder, journal, observer } = this.#options;
    let events = 0;
    try {
      for (const file of await listJournal(folder, ['pending'])) {
        if (this.#stopped) break;
        const own = journal.isWriting(file);
        if (!own && (await mayBeWritten(folder, file))) continue;
        const claimed = own ? file : await this.#claim(file);
        if (!claimed) continue;
        const replayed = await this.#replayFile(claimed);
        events += replayed.events;
        if (!replayed.goOn) break;
      }
    } catch (error) {
      observer?.failed?.(error);
    }
    if (events > 0) observer?.replayed?.(events);
    return events;
  }

  async #claim(file: JournalFile): Promise<JournalFile | undefined> {
    try {
      return await claim(this.#options.folder, file, 'pending');
    } catch (error) {
      this.#unreadable.failed(journalPath(this.#options.folder, file), error);
      return undefined;
    }
  }

  /** @returns `goOn`: whether the next file can be replayed */
  async #replayFile(file: JournalFile): Promise<{ events: number; goOn: boolean }> {
    const { folder, journal, target, observer } = this.#options;
    const path = journalPath(folder, file);
    let offset = await readOffset(folder, file);
    let events = 0;
    while (!this.#stopped) {
      // Before the look: what is written and ended during it has not been seen by it.
      const growing = journal.isWriting(file);
      const lines = await this.#readLines(path, offset);
      if (!lines) return { events, goOn: true };
      const last = lines.at(-1);
      // Only now: a stream that is still away must not make the journal begin a file with each look.
      if (!last && growing) {
        await journal.rotate();
        continue;
      }
      if (!last) {
        if (await removeFile(path)) await removeFile(offsetPath(folder, file));
        return { events, goOn: true };
      }
      const texts = lines.map(({ text }) => text).filter((text) => !isErasedLine(text));
      const good = texts.filter(isEventLine);
      try {
        if (good.length > 0) await target.append(good);
      } catch {
        return { events, goOn: false };
      }
      if (good.length < texts.length) observer?.damaged?.(path, texts.length - good.length);
      events += good.length;
      offset = last.end;
      await replaceFile(offsetPath(folder, file), String(offset));
    }
    return { events, goOn: false };
  }

  async #readLines(path: string, offset: number): Promise<Line[] | undefined> {
    try {
      const lines = await readLines(path, offset, BATCH).catch(noneIfGone);
      this.#unreadable.read(path);
      return lines;
    } catch (error) {
      this.#unreadable.failed(path, error);
      return undefined;
    }
  }
}

/**
 * Makes the files that dead writers left waiting for a stream part of the journal itself; for a service that
 * has no stream any more.
 */
export async function adoptPending(folder: string): Promise<void> {
  for (const file of await listJournal(folder, ['pending'])) {
    if (await mayBeWritten(folder, file)) continue;
    await claim(folder, file, 'events');
    await removeFile(offsetPath(folder, file));
  }
}

/** Makes a file this process's own; renaming is atomic, so that one process only succeeds. */
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
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
