import { type FileHandle, open } from 'node:fs/promises';
import { noneIfGone } from '../../lib/files.ts';
import { isEventAbout } from '../event-line.ts';
import { deadLetterFiles } from './dead-letters.ts';
import { journalPath, listJournal } from './journal-file.ts';
import { portionsOf } from './line-reader.ts';

/**
 * Erases a recipient's events from the journal and from the dead letters. Spaces replace each line
 * in place, so that the writer goes on appending, and readers keep their place.
 *
 * @param address compared without regard to case
 * @returns how many events were erased
 */
export async function forgetInJournal(folder: string, address: string): Promise<number> {
  const wanted = address.toLowerCase();
  const seen = new Set<string>();
  let found = 0;
  for (;;) {
    const files = await listJournal(folder, ['events', 'pending']);
    const paths = files.map((file) => journalPath(folder, file)).filter((path) => !seen.has(path));
    if (paths.length === 0) break;
    // A file that was renamed before it was opened is in the next list.
    for (const path of paths) found += await forgetInPath(path, wanted);
    for (const path of paths) seen.add(path);
  }
  for (const path of deadLetterFiles(folder)) found += await forgetInPath(path, wanted);
  return found;
}

async function forgetInPath(path: string, wanted: string): Promise<number> {
  const [handle] = await open(path, 'r+').then((opened) => [opened], noneIfGone);
  return handle === undefined ? 0 : forgetInFile(handle, wanted).finally(() => handle.close());
}

async function forgetInFile(handle: FileHandle, wanted: string): Promise<number> {
  let found = 0;
  let offset = 0;
  for await (const lines of portionsOf(handle)) {
    for (const { text, end } of lines) {
      if (isEventAbout(wanted, text)) {
        const blank = Buffer.alloc(end - 1 - offset, ' ');
        await handle.write(blank, 0, blank.length, offset);
        found++;
      }
      offset = end;
    }
  }
  await handle.datasync();
  return found;
}
