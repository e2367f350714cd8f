import { type FileHandle, open } from 'node:fs/promises';
import { READ_BYTES } from '../events.ts';

/** A whole line of a file, and the offset at which the next one begins. */
export interface Line {
  readonly text: string;
  readonly end: number;
}

const CHUNK = 256 * 1024;
/** Bytes of the longest line: the journal takes no event that is longer. */
export const MAX_LINE = 16 * 1024 * 1024;

/**
 * Reads whole lines of a file from an offset on: at most `max`, of roughly `maxBytes`, and none
 * only at the end of the file. A last line without its line break is left for later, because its
 * writer may not have finished it. A line that is longer than any event comes without its text:
 * another program wrote it.
 * @throws Error with the code ENOENT where there is no such file
 */
export async function readLines(
  path: string,
  offset: number,
  max: number,
  maxBytes?: number,
): Promise<Line[]> {
  const handle = await open(path);
  return linesOf(handle, offset, max, maxBytes).finally(() => handle.close());
}

/** Reads all whole lines of an open file from an offset on, some at a time. */
export async function* portionsOf(handle: FileHandle, from = 0): AsyncGenerator<readonly Line[]> {
  for (let offset = from; ; ) {
    const lines = await linesOf(handle, offset, 1000);
    const last = lines.at(-1);
    if (last === undefined) return;
    yield lines;
    offset = last.end;
  }
}

/** Reads whole lines of an open file, as `readLines` does. */
async function linesOf(
  handle: FileHandle,
  offset: number,
  max: number,
  maxBytes = READ_BYTES,
): Promise<Line[]> {
  const lines: Line[] = [];
  let rest = Buffer.alloc(0);
  let start = offset;
  let tooLong = false;
  while (lines.length < max && (lines.length === 0 || start - offset < maxBytes)) {
    // Doubles for a long line, which would be copied with each chunk otherwise.
    const chunk = Buffer.allocUnsafe(Math.max(CHUNK, rest.length));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, start + rest.length);
    if (bytesRead === 0) break;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let begin = 0;
    for (let end = rest.indexOf(10); end >= 0 && lines.length < max; ) {
      const text = tooLong ? '' : rest.toString('utf8', begin, end);
      lines.push({ text, end: start + end + 1 });
      tooLong = false;
      begin = end + 1;
      end = rest.indexOf(10, begin);
    }
    if (rest.length - begin > MAX_LINE) {
      tooLong = true;
      begin = rest.length;
    }
    rest = rest.subarray(begin);
    start += begin;
  }
  return lines;
}

const END_OF_EVENT = Buffer.from('}\n');

/**
 * Counts the events of a file from an offset on by the ends of their lines; an erased event ends in
 * a space.
 */
export async function countEvents(handle: FileHandle, offset: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  let events = 0;
  for (let position = offset; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK, position);
    if (bytesRead < END_OF_EVENT.length) return events;
    // The last byte is read again, because the end of an event may begin with it.
    position += bytesRead - 1;
    const read = chunk.subarray(0, bytesRead);
    for (let at = read.indexOf(END_OF_EVENT); at >= 0; at = read.indexOf(END_OF_EVENT, at + 1)) {
      events++;
    }
  }
}

/** Whether a line is the blank that replaced an event when its recipient was forgotten. */
export function isErasedLine(text: string): boolean {
  return /^ +$/.test(text);
}
