import { open } from 'node:fs/promises';

/** One whole line of a file, and the offset at which the next one begins. */
export interface Line {
  readonly text: string;
  readonly end: number;
}

const CHUNK = 256 * 1024;
/** Longer than any event: a file with such a line was not written by us. */
const MAX_LINE = 1024 * 1024;

/**
 * Whole lines of a file from an offset on, at most `max`. A last line without its line break is left for later:
 * somebody may still be writing it.
 * @throws Error with the code ENOENT where there is no such file
 */
export async function readLines(path: string, offset: number, max: number): Promise<Line[]> {
  const handle = await open(path);
  try {
    const lines: Line[] = [];
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest = Buffer.alloc(0);
    let start = offset;
    while (lines.length < max && rest.length < MAX_LINE) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, start + rest.length);
      if (bytesRead === 0) break;
      rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let begin = 0;
      for (let end = rest.indexOf(10); end >= 0 && lines.length < max; ) {
        lines.push({ text: rest.toString('utf8', begin, end), end: start + end + 1 });
        begin = end + 1;
        end = rest.indexOf(10, begin);
      }
      rest = rest.subarray(begin);
      start += begin;
    }
    return lines;
  } finally {
    await handle.close();
  }
}

/** How many whole lines a file has from an offset on. */
export async function countLines(path: string, offset: number): Promise<number> {
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

/** Whether a line is an event: what a torn write or somebody's editor leaves behind is not. */
export function isEventLine(text: string): boolean {
  if (!text.startsWith('{"msys":')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
