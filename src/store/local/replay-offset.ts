import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type JournalFile, journalPath } from './journal-file.ts';

/** The file beside one that is replayed, which says how far that has got; it follows the id, whoever has the file. */
export function offsetPath(folder: string, file: JournalFile): string {
  return join(folder, `pending-${file.id}.offset`);
}

/** @returns 0 where nothing has been replayed, and where the file beside it says what cannot be: then all is replayed again */
export async function readOffset(folder: string, file: JournalFile): Promise<number> {
  const text = await readFile(offsetPath(folder, file), 'utf8').catch(() => '0');
  const offset = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (offset === 0) return 0;
  const { size } = await stat(journalPath(folder, file)).catch(() => ({ size: offset }));
  return offset <= size ? offset : 0;
}
