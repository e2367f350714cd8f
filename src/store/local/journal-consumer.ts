import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfAny, removeDrafts, replaceFile } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { parseJson } from '../../lib/values.ts';
import { fieldsOfEvent } from '../event-line.ts';
import {
  type Backlog,
  type EventConsumer,
  type Lease,
  type Note,
  type StoredEvent,
  Superseded,
} from '../events.ts';
import { type JournalKind, journalFiles, journalPath, listJournal } from './journal-file.ts';
import { JournalReader, type Offsets, UnreadableFiles } from './journal-reader.ts';
import { countEvents, readLines } from './line-reader.ts';

/** Offsets by the id of the file. */
type Places = Readonly<Record<string, number>>;

/** The state on disk: how far events were acknowledged, and how far they were read. */
interface State {
  readonly acknowledged: Places;
  readonly read: Places;
  readonly note: string;
}

/**
 * Reads the journal, and keeps its place in a file beside it. There may be only one consumer of a
 * name, and an acknowledgement covers everything that it read until then. A consumer that is opened
 * with a lease changes this file only while it has the lease.
 */
export class JournalConsumer implements EventConsumer {
  readonly #folder: string;
  readonly #file: string;
  readonly #unreadable: UnreadableFiles;
  readonly #lease: Lease | undefined;
  #state: State | undefined;
  #reader: JournalReader | undefined;
  #reading: Promise<unknown> | undefined;

  constructor(folder: string, name: string, logger: Logger = silent, lease?: Lease) {
    this.#folder = folder;
    this.#lease = lease;
    this.#unreadable = new UnreadableFiles(logger);
    this.#file = join(folder, `${name}.offsets.json`);
  }

  async unacknowledged(max: number, maxBytes?: number): Promise<readonly StoredEvent[]> {
    const { acknowledged, read } = await this.#load();
    const reader = this.#newReader(acknowledged, read);
    return await reader.next(max, 0, maxBytes);
  }

  next(max: number, waitMs: number, maxBytes?: number): Promise<readonly StoredEvent[]> {
    const reading = this.#next(max, waitMs, maxBytes);
    this.#reading = reading;
    return reading;
  }

  async #next(
    max: number,
    waitMs: number,
    maxBytes: number | undefined,
  ): Promise<readonly StoredEvent[]> {
    const state = await this.#load();
    this.#reader ??= this.#newReader(state.read);
    const events = await this.#reader.next(max, waitMs, maxBytes);
    // Saved before the events are used, so that after a crash the same events form the same batch.
    if (events.length > 0) {
      try {
        await this.#save({ ...state, read: Object.fromEntries(this.#reader.offsets) });
      } catch (error) {
        // The events are read again the next time.
        await this.#reader.close();
        this.#reader = undefined;
        throw error;
      }
    }
    return events;
  }

  async acknowledge(events: readonly StoredEvent[]): Promise<void> {
    const { note } = await this.#load();
    await this.keep(events, { text: note });
  }

  async keep(events: readonly StoredEvent[], { text }: Pick<Note, 'text'>): Promise<string> {
    const state = await this.#load();
    const acknowledged: Record<string, number> = {};
    // Without files that are gone.
    for (const [id, offset] of Object.entries(state.acknowledged)) {
      if (id in state.read) acknowledged[id] = offset;
    }
    for (const event of events) {
      const { id, offset } = placeOf(event);
      acknowledged[id] = Math.max(offset, acknowledged[id] ?? 0);
    }
    await this.#save({ ...state, acknowledged, note: text });
    return '';
  }

  /** In the journal, no event comes twice. */
  async note(): Promise<Note> {
    return { id: '', text: (await this.#load()).note, eventIds: [] };
  }

  async backlog(): Promise<Backlog> {
    const { acknowledged } = await this.#load();
    return journalBacklog(this.#folder, 'events', new Map(Object.entries(acknowledged)));
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    // The next consumer of this name must not meet a late write of this one.
    await this.#reading?.catch(() => undefined);
  }

  #newReader(from: Places, until?: Places): JournalReader {
    return new JournalReader({
      folder: this.#folder,
      kinds: ['events'],
      unreadable: this.#unreadable,
      from: new Map(Object.entries(from)),
      ...(until && { until: new Map(Object.entries(until)) }),
    });
  }

  async #load(): Promise<State> {
    if (this.#state !== undefined) return this.#state;
    await removeDrafts(this.#file);
    const sizes = new Map<string, number>();
    for (const { id, size } of await journalFiles(this.#folder, ['events'])) sizes.set(id, size);
    this.#state = parseState(readIfAny(this.#file), sizes);
    return this.#state;
  }

  /** @throws Superseded */
  async #save(state: State): Promise<void> {
    const lease = this.#lease;
    const mayReplace = lease && (() => lease.isHeld());
    if (!(await replaceFile(this.#file, JSON.stringify(state), mayReplace))) {
      throw new Superseded(`${this.#file}: another process has taken over`);
    }
    this.#state = state;
  }
}

function placeOf({ id }: StoredEvent): { id: string; offset: number } {
  const colon = id.lastIndexOf(':');
  return { id: id.slice(0, colon), offset: Number(id.slice(colon + 1)) };
}

/**
 * Parses the state on disk. Without a readable state, everything is delivered again rather than
 * nothing.
 * @param sizes bytes of the files that exist
 */
function parseState(text: string, sizes: ReadonlyMap<string, number>): State {
  const { acknowledged, read, note } = Object(parseJson(text)) as Record<string, unknown>;
  return {
    acknowledged: placesOf(acknowledged, sizes),
    read: placesOf(read, sizes),
    note: typeof note === 'string' ? note : '',
  };
}

/** The offsets that lie within their files. */
function placesOf(value: unknown, sizes: ReadonlyMap<string, number>): Places {
  const places: Record<string, number> = {};
  for (const [id, size] of sizes) {
    const offset = (Object(value) as Record<string, unknown>)[id];
    if (Number.isSafeInteger(offset) && Number(offset) >= 0 && Number(offset) <= size) {
      places[id] = Number(offset);
    }
  }
  return places;
}

/**
 * Counts the events beyond the offsets in the files of a kind that can be read, and finds the
 * oldest.
 */
export async function journalBacklog(
  folder: string,
  kind: JournalKind,
  from: Offsets = new Map(),
): Promise<Backlog> {
  let events = 0;
  let oldest: number | undefined;
  for (const file of await listJournal(folder, [kind])) {
    const path = journalPath(folder, file);
    const offset = from.get(file.id) ?? 0;
    try {
      // Most files have been read to their end, and need not be opened.
      if ((await stat(path)).size <= offset) continue;
      const handle = await open(path);
      const found = await countEvents(handle, offset).finally(() => handle.close());
      if (found > 0) oldest ??= await timeOfFirst(path, offset);
      events += found;
    } catch {
      // The file was delivered or renamed meanwhile; or it cannot be read, which its reader logs.
    }
  }
  return oldest === undefined ? { events } : { events, oldest };
}

async function timeOfFirst(path: string, offset: number): Promise<number | undefined> {
  const lines = await readLines(path, offset, 100);
  for (const { text } of lines) {
    const fields = fieldsOfEvent(text);
    if (fields === undefined) continue;
    const seconds = Number(fields['timestamp'] ?? Number.NaN);
    return Number.isFinite(seconds) ? seconds * 1000 : undefined;
  }
  return undefined;
}
