import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { noneIfGone, removeFile } from '../../lib/files.ts';
import { getOrMake } from '../../lib/values.ts';
import { newMessageId } from '../../link/message-id.ts';
import { type CountFile, listCountFiles, parseCountLine } from './count-file.ts';
import { listSums, unfinishedSums } from './count-sums.ts';
import { portionsOf } from './line-reader.ts';
import { countsLease } from './sum-up.ts';
import { listFirsts } from './summed-firsts.ts';

/** Milliseconds between two tries to get the lease. */
const RETRY_MS = 50;

/**
 * Gives messages other ids in the files of counts: events that somebody kept lead to no count any
 * more, and the numbers stay. It writes in place, so that the writer goes on appending. Sums of the
 * same days hold digests of the ids, so these files are removed.
 */
export async function unlinkCounts(folder: string, messageIds: ReadonlySet<string>): Promise<void> {
  if (messageIds.size === 0 || (await listCountFiles(folder)).length === 0) return;
  const lease = countsLease(folder);
  const held = async () => {
    while (!(await lease.hold())) await sleep(RETRY_MS);
  };
  await held();
  try {
    const others = new Map<string, string>();
    for (const file of await listCountFiles(folder)) {
      await held();
      const [handle] = await open(file.path, 'r+').then((opened) => [opened], noneIfGone);
      if (handle === undefined) continue;
      await unlinkIn(handle, file, messageIds, others).finally(() => handle.close());
    }
  } finally {
    await lease.release();
  }
}

async function unlinkIn(
  handle: FileHandle,
  { day, path }: CountFile,
  messageIds: ReadonlySet<string>,
  others: Map<string, string>,
): Promise<void> {
  let offset = 0;
  let hasSums = true;
  for await (const lines of portionsOf(handle)) {
    for (const { text, end } of lines) {
      const line = parseCountLine(text, day);
      const messageId = line && 'clicked' in line ? line.clicked.messageId : '';
      if (messageIds.has(messageId)) {
        if (hasSums) await removeSums(dirname(path), day);
        hasSums = false;
        const other = getOrMake(others, messageId, newMessageId);
        // What is before the id, its kind and hour, has one byte per character.
        const at = text.indexOf(JSON.stringify(messageId)) + 1;
        await handle.write(other, offset + at);
      }
      offset = end;
    }
  }
  await handle.datasync();
}

async function removeSums(folder: string, day: string): Promise<void> {
  for (const file of await listSums(folder)) {
    if (file.day === day) await removeFile(file.path);
  }
  // A process that is stopped would give drafts their names when it goes on.
  const others = [...(await listFirsts(folder)), ...(await unfinishedSums(folder))];
  for (const path of others) await removeFile(path);
}
