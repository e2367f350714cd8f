import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedCache } from '../../lib/bounded-cache.ts';
import { appendWhole, makeFolder, naming, noneIfGone, openToAppend } from '../../lib/files.ts';
import type { DeadLetterBox } from '../events.ts';
import { portionsOf } from './line-reader.ts';

const FILE = 'dead-letters.jsonl';
const OLD_FILE = 'dead-letters.old.jsonl';
/** Bytes of one of the two files. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Events that are remembered, and the bytes at the end of a file that hold them: those of a batch. */
const REMEMBERED = 20_000;
const REMEMBERED_BYTES = 16 * 1024 * 1024;
const LETTER = ',"dead_letter":';

/**
 * The files of dead letters in a journal's folder, the newer one first, because it becomes the
 * older one.
 */
export function deadLetterFiles(folder: string): readonly string[] {
  return [join(folder, FILE), join(folder, OLD_FILE)];
}

/**
 * Keeps events that the webhook could not deliver, one per line: the unchanged event, with a member
 * `dead_letter` beside `msys`. A full file becomes the old file and replaces the one before it. An
 * event that comes again, because a process was killed before it acknowledged the event, is kept
 * once.
 */
export class DeadLetters implements DeadLetterBox {
  readonly path: string;
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Digests of the events that were added last; undefined where they are to be read. */
  #added: BoundedCache<string, true> | undefined;
  /** Whether the file ends in the middle of a line: a process was killed when it wrote. */
  #isCut = false;

  constructor(folder: string, maxBytes = MAX_BYTES) {
    this.#folder = folder;
    this.path = join(folder, FILE);
    this.#maxBytes = maxBytes;
  }

  async add(events: readonly string[], reason: string): Promise<void> {
    const letter = JSON.stringify({ time: new Date().toISOString(), reason });
    await makeFolder(this.#folder, 0o750);
    this.#added ??= await this.#readAdded();
    const added = this.#added;
    const starts = events
      // Other programs may write JSON with line breaks, which are never within its texts.
      .map((event) =>
        event
          .trim()
          .replace(/[\r\n]+/g, ' ')
          .slice(0, -1),
      )
      .filter((start) => added.get(digestOf(start)) === undefined);
    if (starts.length === 0) return;
    const lines = starts.map((start) => `${start}${LETTER}${letter}}\n`);
    const size = await this.#append(`${this.#isCut ? '\n' : ''}${lines.join('')}`);
    this.#isCut = false;
    for (const start of starts) added.set(digestOf(start), true);
    if (size > this.#maxBytes) await rename(this.path, join(this.#folder, OLD_FILE));
  }

  async #readAdded(): Promise<BoundedCache<string, true>> {
    const added = new BoundedCache<string, true>(REMEMBERED);
    for (const path of deadLetterFiles(this.#folder).toReversed()) {
      const flags = constants.O_RDONLY | constants.O_NONBLOCK;
      const [file] = await open(path, flags).then((opened) => [opened], noneIfGone);
      if (file === undefined) continue;
      try {
        const stats = await file.stat();
        if (!stats.isFile()) continue;
        const { size } = stats;
        let end = 0;
        for await (const lines of portionsOf(file, Math.max(0, size - REMEMBERED_BYTES))) {
          for (const { text } of lines) {
            added.set(digestOf(text.slice(0, text.lastIndexOf(LETTER))), true);
          }
          end = lines.at(-1)?.end ?? end;
        }
        if (path === this.path) this.#isCut = end < size;
      } finally {
        await file.close();
      }
    }
    return added;
  }

  /** @returns bytes of the file */
  async #append(lines: string): Promise<number> {
    const file = await openToAppend(this.path, 0o640);
    try {
      await naming(this.path, async () => {
        await appendWhole(file, lines);
        // The events are acknowledged when this is done.
        await file.datasync();
      });
      return (await file.stat()).size;
    } catch (error) {
      this.#added = undefined;
      throw error;
    } finally {
      await file.close();
    }
  }
}

function digestOf(start: string): string {
  return hash('sha256', start, 'base64url');
}
