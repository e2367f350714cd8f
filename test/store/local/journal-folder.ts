import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { Journal, type JournalOptions } from '../../../src/store/local/journal.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';

export const event = (n: number | string) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;

/** Here a file is flushed at once: tests begin hundreds of files, and a busy disk takes 0.1 s each. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder of journals for each test of a file; afterwards they are closed, and it is gone. */
export class JournalFolder {
  path = '';
  readonly #journals: Journal[] = [];

  constructor() {
    beforeEach(async () => {
      this.path = await mkdtemp(join(MEMORY, 'clickmilter-journal-'));
    });
    afterEach(async () => {
      for (const journal of this.#journals.splice(0)) await journal.close();
      await rm(this.path, { recursive: true, force: true });
    });
  }

  open(options: Partial<JournalOptions> = {}): Journal {
    const journal = new Journal({
      ...eventsDefaults,
      folder: this.path,
      kind: 'events',
      ...options,
    });
    this.#journals.push(journal);
    return journal;
  }

  /** Of the files whose names begin so. */
  async names(kind = ''): Promise<string[]> {
    const names = await readdir(this.path);
    return names.filter((name) => name.startsWith(kind) && name.endsWith('.jsonl')).sort();
  }

  /** Of these files. */
  async lines(kind = ''): Promise<string[]> {
    const files = await this.names(kind);
    const texts = await Promise.all(files.map((name) => readFile(join(this.path, name), 'utf8')));
    return texts.flatMap((text) => text.split('\n').slice(0, -1));
  }
}
