import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, naming, openToAppend } from '../../lib/files.ts';
import type { DeadLetterBox } from '../events.ts';

const FILE = 'dead-letters.jsonl';
const OLD_FILE = 'dead-letters.old.jsonl';
/** Bytes of one of the two files. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * The files of dead letters in a journal's folder, the newer one first, because it becomes the
 * older one.
 */
export function deadLetterFiles(folder: string): readonly string[] {
  return [join(folder, FILE), join(folder, OLD_FILE)];
}

/**
 * Keeps events that the webhook could not deliver, one per line: the unchanged event, with a member
 * `dead_letter` beside
 * `msys`. A full file becomes the old file and replaces the one before it.
 */
export class DeadLetters implements DeadLetterBox {
  readonly path: string;
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor(folder: string, maxBytes = MAX_BYTES) {
    this.#folder = folder;
    this.path = join(folder, FILE);
    this.#maxBytes = maxBytes;
  }

  async add(events: readonly string[], reason: string): Promise<void> {
    const letter = JSON.stringify({ time: new Date().toISOString(), reason });
    const lines = events.map((event) => {
      // Other programs may write JSON with line breaks, which are never within its texts.
      const line = event.trim().replace(/[\r\n]+/g, ' ');
      return `${line.slice(0, -1)},"dead_letter":${letter}}\n`;
    });
    await makeFolder(this.#folder, 0o750);
    if ((await this.#append(lines.join(''))) > this.#maxBytes) {
      await rename(this.path, join(this.#folder, OLD_FILE));
    }
  }

  /** @returns bytes of the file */
  async #append(lines: string): Promise<number> {
    const file = await openToAppend(this.path, 0o640);
    try {
      await naming(this.path, () => file.appendFile(lines));
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }
}
