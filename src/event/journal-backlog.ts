import { open } from 'node:fs/promises';
import type { Backlog } from '../link/event-stream.ts';
import type { TrackEvent } from './click-event.ts';
import { type JournalKind, journalPath, listJournal } from './journal-file.ts';
import type { Offsets } from './journal-reader.ts';
import { isEventLine, readLines } from './line-reader.ts';

const CHUNK = 1024 * 1024;

/** How many events the files of a kind hold beyond the offsets, and how old the oldest of them is. */
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
      const lines = await countLines(path, offset);
      if (lines > 0) oldest ??= await timeOfFirst(path, offset);
      events += lines;
    } catch (error) {
      // Delivered, or renamed by whoever takes it over, while we looked.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return oldest === undefined ? { events } : { events, oldest };
}

async function countLines(path: string, offset: number): Promise<number> {
  const handle = await open(path);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let lines = 0;
    for (let position = offset; ; ) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, position);
      if (bytesRead === 0) return lines;
      position += bytesRead;
      const read = chunk.subarray(0, bytesRead);
      for (let at = read.indexOf(10); at >= 0; at = read.indexOf(10, at + 1)) lines++;
    }
  } finally {
    await handle.close();
  }
}

async function timeOfFirst(path: string, offset: number): Promise<number | undefined> {
  const [line] = await readLines(path, offset, 1);
  if (!line || !isEventLine(line.text)) return undefined;
  const { msys } = JSON.parse(line.text) as { msys: { track_event?: Partial<TrackEvent> } };
  const seconds = Number(msys.track_event?.timestamp);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
