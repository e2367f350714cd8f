import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { entriesIn, naming, noneIfGone, removeFile } from '../../lib/files.ts';
import { isMessageId } from '../../link/message-id.ts';
import { fieldsOfEvent, isEventAbout, timeOfEvent } from '../event-line.ts';
import { deadLetterFiles } from './dead-letters.ts';
import { removeCounted } from './journal.ts';
import {
  createdAt,
  journalFiles,
  journalPath,
  listJournal,
  offsetPath,
  readOffset,
} from './journal-file.ts';
import { portionsOf } from './line-reader.ts';
import { unlinkCounts } from './unlink-counts.ts';

/**
 * Erases a recipient's events from the journal and from the dead letters, and the way from them to
 * counts. Spaces replace each line
 * in place, so that the writer goes on appending, and readers keep their place.
 *
 * @param address compared without regard to case
 * @returns how many events were erased
 */
export async function forgetInJournal(folder: string, address: string): Promise<number> {
  const wanted = address.toLowerCase();
  const messageIds = new Set<string>();
  const isWanted = (line: string) => {
    const isAbout = isEventAbout(wanted, line);
    const messageId = isAbout ? fieldsOfEvent(line)?.['message_id'] : undefined;
    if (typeof messageId === 'string' && isMessageId(messageId)) messageIds.add(messageId);
    return isAbout;
  };
  const seen = new Set<string>();
  let found = 0;
  for (;;) {
    const files = await listJournal(folder, ['events', 'pending']);
    const paths = files.map((file) => journalPath(folder, file)).filter((path) => !seen.has(path));
    if (paths.length === 0) break;
    // A file that was renamed before it was opened is in the next list.
    for (const path of paths) found += await eraseInPath(path, isWanted);
    for (const path of paths) seen.add(path);
  }
  for (const path of await deadLetters(folder)) found += await eraseInPath(path, isWanted);
  await unlinkCounts(folder, messageIds);
  return found;
}

/**
 * Removes the events of clicks before a time from the journal and from the dead letters: whole
 * files if they are older, and lines, as `forgetInJournal` does, in files that are not.
 *
 * @param time Unix milliseconds
 * @returns how many events were removed
 */
export async function removeFromJournal(folder: string, time: number): Promise<number> {
  const isOld = (line: string) => (timeOfEvent(line) ?? time) < time;
  let removed = 0;
  for (const file of await journalFiles(folder, ['events', 'pending'])) {
    const begun = createdAt(file);
    // The clock may have been ahead.
    if (begun >= time && begun <= Date.now()) continue;
    if (file.written >= time) {
      removed += await eraseInPath(file.path, isOld);
    } else {
      removed += (await removeCounted(file.path, await readOffset(folder, file))) ?? 0;
      await removeFile(offsetPath(folder, file));
    }
  }
  for (const path of await deadLetters(folder)) removed += await eraseInPath(path, isOld);
  return removed;
}

async function deadLetters(folder: string): Promise<readonly string[]> {
  const there = await entriesIn(folder);
  return deadLetterFiles(folder).filter((path) => there.includes(basename(path)));
}

async function eraseInPath(path: string, isWanted: (line: string) => boolean): Promise<number> {
  const [handle] = await open(path, 'r+').then((opened) => [opened], noneIfGone);
  if (handle === undefined) return 0;
  return naming(path, () => eraseInFile(handle, isWanted)).finally(() => handle.close());
}

async function eraseInFile(
  handle: FileHandle,
  isWanted: (line: string) => boolean,
): Promise<number> {
  let found = 0;
  let offset = 0;
  for await (const lines of portionsOf(handle)) {
    for (const { text, end } of lines) {
      if (isWanted(text)) {
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
