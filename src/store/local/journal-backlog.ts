import { stat } from 'node:fs/promises';
import { type Backlog, fieldsOfEvent } from '../events.ts';
import { type JournalKind, journalPath, listJournal } from './journal-file.ts';
import type { Offsets } from './journal-reader.ts';
import { countEvents, readLines } from './line-reader.ts';

/** How many events the files of a kind hold beyond the offsets, and how old the oldest is; those that cannot be read left out. */
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
      // Most have been read to their end, and need not be opened.
      if ((await stat(path)).size <= offset) continue;
      const found = await countEvents(path, offset);
      if (found > 0) oldest ??= await timeOfFirst(path, offset);
      events += found;
    } catch {
      // Delivered, or renamed by whoever takes it over, while we looked; or named by whoever reads it.
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
