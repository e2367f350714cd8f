import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../lib/replace-file.ts';
import type { Backlog, EventConsumer, StoredEvent } from '../events.ts';
import { journalBacklog } from './journal-backlog.ts';
import { journalFiles } from './journal-file.ts';
import { JournalReader } from './journal-reader.ts';
import { UnreadableFiles } from './unreadable-files.ts';

/** Offsets by the id of the file. */
type Places = Readonly<Record<string, number>>;

/** What is kept on disk: up to where events were acknowledged, and up to where they were read. */
interface State {
  readonly acknowledged: Places;
  readonly read: Places;
}

const NOTHING: State = { acknowledged: {}, read: {} };

/**
 * Reads the journal and keeps in a file beside it how far it has got. There may be one consumer of a name only,
 * and what it acknowledges is everything that it read until then.
 */
export class JournalConsumer implements EventConsumer {
  readonly #folder: string;
  readonly #file: string;
  readonly #unreadable: UnreadableFiles;
  #state: State | undefined;
  #reader: JournalReader | undefined;
  #reading: Promise<unknown> | undefined;

  /** @param onProblem told of each file that cannot be read and is left out until it can be */
  constructor(folder: string, name: string, onProblem?: (message: string) => void) {
    this.#folder = folder;
    this.#unreadable = new UnreadableFiles(onProblem);
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
    // Said before anybody sees them, so that after a crash the same events make up the same batch.
    if (events.length > 0) {
      await this.#save({ ...state, read: Object.fromEntries(this.#reader.offsets) });
    }
    return events;
  }

  async acknowledge(events: readonly StoredEvent[]): Promise<void> {
    const state = await this.#load();
    const acknowledged: Record<string, number> = {};
    // Files that are gone are forgotten.
    for (const [id, offset] of Object.entries(state.acknowledged)) {
      if (id in state.read) acknowledged[id] = offset;
    }
    for (const event of events) {
      const { id, offset } = placeOf(event);
      acknowledged[id] = Math.max(offset, acknowledged[id] ?? 0);
    }
    await this.#save({ ...state, acknowledged });
  }

  async backlog(): Promise<Backlog> {
    const { acknowledged } = await this.#load();
    return journalBacklog(this.#folder, 'events', new Map(Object.entries(acknowledged)));
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    // Nothing of ours may be written any more when the next consumer of this name begins.
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
    const sizes = new Map<string, number>();
    for (const { id, size } of await journalFiles(this.#folder, ['events'])) sizes.set(id, size);
    this.#state = parseState(await readFile(this.#file, 'utf8').catch(() => ''), sizes);
    return this.#state;
  }

  async #save(state: State): Promise<void> {
    this.#state = state;
    await replaceFile(this.#file, JSON.stringify(state));
  }
}

function placeOf({ id }: StoredEvent): { id: string; offset: number } {
  const colon = id.lastIndexOf(':');
  return { id: id.slice(0, colon), offset: Number(id.slice(colon + 1)) };
}

/**
 * Without a readable state everything is delivered again, rather than nothing.
 * @param sizes bytes of the files there are
 */
function parseState(text: string, sizes: ReadonlyMap<string, number>): State {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    return NOTHING;
  }
  const { acknowledged, read } = Object(state) as Record<string, unknown>;
  return { acknowledged: placesOf(acknowledged, sizes), read: placesOf(read, sizes) };
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
