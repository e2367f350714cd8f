import { hash } from 'node:crypto';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import {
  entriesIn,
  locked,
  makeFolder,
  noneIfGone,
  readWhole,
  removeFile,
  replaceFile,
} from '../../lib/files.ts';
import {
  addToValue,
  decodeVersions,
  MAX_CAMPAIGNS,
  type PreviewVersion,
} from '../../preview/versions.ts';
import { countedText } from '../counting.ts';
import type { Previews } from '../store.ts';

const NAME = /^[\w-]{43}\.preview$/;

/**
 * The previews of a host without Redis: a file for each campaign. Its time of change is the time
 * when it expires.
 */
export class PreviewFiles implements Previews {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async add(campaign: string, skeleton: string, days: number): Promise<void> {
    await makeFolder(this.#folder, 0o750);
    const path = this.#pathOf(campaign);
    await this.#locked(async () => {
      const { value, until } = addToValue(read(path), skeleton, days);
      await replaceFile(path, value);
      await utimes(path, until, until);
      await this.#removeOld();
    });
  }

  async removeExpired(): Promise<void> {
    const names = await entriesIn(this.#folder);
    if (names.some((name) => NAME.test(name))) await this.#locked(() => this.#removeOld());
  }

  #locked(change: () => Promise<void>): Promise<void> {
    return locked(join(this.#folder, 'lock'), change);
  }

  /** Removes what has expired, and what expires first where there are too many campaigns. */
  async #removeOld(): Promise<void> {
    const names = (await entriesIn(this.#folder)).filter((name) => NAME.test(name));
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#folder, name);
        return { path, until: (await stat(path)).mtimeMs / 1000 };
      }),
    );
    files.sort((a, b) => b.until - a.until);
    for (const [index, { path, until }] of files.entries()) {
      if (index >= MAX_CAMPAIGNS || until <= Date.now() / 1000) await removeFile(path);
    }
  }

  async of(campaign: string): Promise<readonly PreviewVersion[]> {
    const value = read(this.#pathOf(campaign));
    return value === undefined ? [] : decodeVersions(value);
  }

  #pathOf(campaign: string): string {
    return join(this.#folder, `${hash('sha256', countedText(campaign), 'base64url')}.preview`);
  }
}

/** @returns undefined where there is no file */
function read(path: string): Buffer | undefined {
  try {
    return readWhole(path);
  } catch (error) {
    noneIfGone(error);
    return undefined;
  }
}
