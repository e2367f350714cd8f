import { type FileHandle, open } from 'node:fs/promises';
import { READ_BYTES } from '../events.ts';

/** One whole line of a file, and the offset at which the next one begins. */
export interface Line {
  readonly text: string;
  readonly end: number;
}

const CHUNK = 256 * 1024;
/** Bytes of the longest line there is: events come from outside, and the journal takes none that is longer. */
export const MAX_LINE = 16 * 1024 * 1024;

/**
 * Whole lines of a file from an offset on: at most `max`, of roughly `maxBytes`, and none only where there are none. A last line without its
 * line break is left for later: somebody may still be writing it. Of a line that is longer than any event only the end
 * is told: it was not written by us, but what follows it may be.
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

/** The same of a file that is open. */
export async function linesOf(
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
    // As much again as there is of a long line: read chunk by chunk, it would be copied with each.
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

/** How many events a file has from an offset on, going by the ends of lines: one that was erased ends in a space. */
export async function countEvents(path: string, offset: number): Promise<number> {
  const handle = await open(path);
  return countEventsOf(handle, offset).finally(() => handle.close());
}

/** The same of a file that is open. */
export async function countEventsOf(handle: FileHandle, offset: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  let events = 0;
  for (let position = offset; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK, position);
    if (bytesRead < END_OF_EVENT.length) return events;
    // The last byte is read again: an end may begin with it.
    position += bytesRead - 1;
    const read = chunk.subarray(0, bytesRead);
    for (let at = read.indexOf(END_OF_EVENT); at >= 0; at = read.indexOf(END_OF_EVENT, at + 1)) {
      events++;
    }
  }
}

/** Whether a line is what remains of an event whose recipient was forgotten. */
export function isErasedLine(text: string): boolean {
  return /^ +$/.test(text);
}
