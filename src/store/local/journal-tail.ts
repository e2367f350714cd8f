import { timeOfEvent } from '../event-line.ts';
import type { StoredEvent } from '../events.ts';
import { READ_BYTES } from '../events.ts';
import { type JournalKind, journalFiles, type SizedFile } from './journal-file.ts';
import { eventIn } from './journal-reader.ts';
import { readLines } from './line-reader.ts';

/** Files that are read: one for each process that writes now, and some older ones. */
const MAX_FILES = 16;
const TAIL_BYTES = READ_BYTES / 4;

/**
 * Reads the last events of a journal, from the ends of the files that were written last. It reads
 * no more of the journal, however long that is.
 * @returns at most `max`, the newest last
 */
export async function lastEvents(
  folder: string,
  kinds: readonly JournalKind[],
  max: number,
): Promise<readonly StoredEvent[]> {
  const files = [...(await journalFiles(folder, kinds))].sort((a, b) => a.written - b.written);
  const tails = await Promise.all(files.slice(-MAX_FILES).map((file) => tailOf(file, max)));
  const timed = tails.flat().map((found) => ({ found, time: timeOfEvent(found.event) ?? 0 }));
  return timed
    .sort((a, b) => a.time - b.time)
    .slice(-max)
    .map(({ found }) => found);
}

async function tailOf({ id, path, size }: SizedFile, max: number): Promise<readonly StoredEvent[]> {
  const from = Math.max(0, size - TAIL_BYTES);
  // A file that is gone meanwhile has no last events.
  const lines = await readLines(path, from, TAIL_BYTES).catch(() => []);
  // The first line has lost its start.
  return lines
    .slice(from > 0 ? 1 : 0)
    .flatMap((line) => eventIn(id, line) ?? [])
    .slice(-max);
}
