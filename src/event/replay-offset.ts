import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JournalFile } from './journal-file.ts';

/** The file beside one that is replayed, which says how far that has got; it follows the id, whoever has the file. */
export function offsetPath(folder: string, file: JournalFile): string {
  return join(folder, `pending-${file.id}.offset`);
}

/** @returns 0 where nothing has been replayed */
export async function readOffset(folder: string, file: JournalFile): Promise<number> {
  const text = await readFile(offsetPath(folder, file), 'utf8').catch(() => '0');
  const offset = Number(text);
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : 0;
}
