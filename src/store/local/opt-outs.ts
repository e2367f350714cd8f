import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, naming, openToAppend, readWhole } from '../../lib/files.ts';
import { type Logger, logLimited, silent } from '../../lib/logger.ts';
import { StoreUnavailable } from '../../link/link-store.ts';
import { optOutDigest } from '../opt-outs.ts';
import type { EditableOptOuts } from '../store.ts';

/** How long the file is not checked again: a check costs a message more than its decision. */
const LOOK_MS = 500;

/** A digest and the time of the opt-out; with `-` before them, the end of that opt-out. */
const LINE = /^(-?)([\w-]{22}) (\S+)$/;

/**
 * The opt-outs of a host without Redis: a file that grows by a line with each change, so that no
 * reader sees half of one. It is checked now and then, and read again when it has changed.
 */
export class OptOutFile implements EditableOptOuts {
  readonly #path: string;
  readonly #logger: Logger;
  /** By performance.now: the wall clock may jump. */
  #isKnownUntil = Number.NEGATIVE_INFINITY;
  #state = '';
  #digests: ReadonlyMap<string, string> = new Map();

  constructor(path: string, logger: Logger = silent) {
    this.#path = path;
    this.#logger = logger;
  }

  async hasAny(addresses: readonly string[]): Promise<boolean> {
    const digests = this.#read();
    return digests.size > 0 && addresses.some((address) => digests.has(optOutDigest(address)));
  }

  add(digests: readonly string[]): Promise<number> {
    const since = new Date().toISOString();
    return this.#append(digests, (digest) => `${digest} ${since}`, false);
  }

  remove(digests: readonly string[]): Promise<number> {
    const since = new Date().toISOString();
    return this.#append(digests, (digest) => `-${digest} ${since}`, true);
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    return this.#read();
  }

  /** Appends a line for each digest that is in the list, or is not. @returns how many these are */
  async #append(
    digests: readonly string[],
    line: (digest: string) => string,
    isListed: boolean,
  ): Promise<number> {
    this.#isKnownUntil = Number.NEGATIVE_INFINITY;
    const known = this.#read();
    const changed = [...new Set(digests)].filter((digest) => known.has(digest) === isListed);
    if (changed.length === 0) return 0;
    await makeFolder(dirname(this.#path), 0o750);
    const file = await openToAppend(this.#path, 0o640);
    try {
      // The line break before them ends a line that a crash has cut.
      const lines = `\n${changed.map(line).join('\n')}\n`;
      await naming(this.#path, () => file.appendFile(lines));
      await naming(this.#path, () => file.datasync());
    } finally {
      await file.close();
      this.#isKnownUntil = Number.NEGATIVE_INFINITY;
    }
    return changed.length;
  }

  /** @throws StoreUnavailable where the list exists and cannot be read */
  #read(): ReadonlyMap<string, string> {
    const now = performance.now();
    if (now < this.#isKnownUntil) return this.#digests;
    try {
      // Synchronous, because a turn through the thread pool takes many times longer.
      const found = statSync(this.#path, { throwIfNoEntry: false });
      const state = found ? `${found.ino} ${found.ctimeMs} ${found.size}` : '';
      if (state !== this.#state) {
        this.#digests = found ? this.#parse(readWhole(this.#path).toString()) : new Map();
        this.#state = state;
      }
      this.#isKnownUntil = now + LOOK_MS;
      return this.#digests;
    } catch (error) {
      throw new StoreUnavailable(`opt-outs: ${(error as Error).message}`, { cause: error });
    }
  }

  #parse(text: string): ReadonlyMap<string, string> {
    const digests = new Map<string, string>();
    for (const [index, line] of text.split('\n').entries()) {
      const [, undone, digest = '', since = ''] = LINE.exec(line) ?? [];
      if (undone === '') digests.set(digest, since);
      else if (undone === '-') digests.delete(digest);
      else if (line !== '' && !line.startsWith('#')) {
        logLimited(this.#logger, 'error', 'invalid line in the opt-outs, ignored', {
          place: `${this.#path}:${index + 1}`,
        });
      }
    }
    return digests;
  }
}
