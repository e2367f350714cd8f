import { type FileHandle, open } from 'node:fs/promises';
import { noneIfGone } from '../../lib/files.ts';
import { getOrMake } from '../../lib/values.ts';
import { newMessageId } from '../../link/message-id.ts';
import { type CountFile, listCountFiles, parseCountLine } from './count-file.ts';
import { portionsOf } from './line-reader.ts';

/**
 * Gives messages other ids in the files of counts: events that somebody kept lead to no count any
 * more, and the sums stay. It writes in place, so that the writer goes on appending.
 */
export async function unlinkCounts(folder: string, messageIds: ReadonlySet<string>): Promise<void> {
  if (messageIds.size === 0) return;
  const others = new Map<string, string>();
  for (const file of await listCountFiles(folder)) {
    const [handle] = await open(file.path, 'r+').then((opened) => [opened], noneIfGone);
    if (handle === undefined) continue;
    await unlinkIn(handle, file, messageIds, others).finally(() => handle.close());
  }
}

async function unlinkIn(
  handle: FileHandle,
  { day }: CountFile,
  messageIds: ReadonlySet<string>,
  others: Map<string, string>,
): Promise<void> {
  let offset = 0;
  for await (const lines of portionsOf(handle)) {
    for (const { text, end } of lines) {
      const line = parseCountLine(text, day);
      const messageId = line && 'clicked' in line ? line.clicked.messageId : '';
      if (messageIds.has(messageId)) {
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
