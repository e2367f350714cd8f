import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { locked, makeFolder, readIfAny, removeFile, replaceFile } from '../../lib/files.ts';
import { parseJson } from '../../lib/values.ts';
import { LEASE_MS, type Lease } from '../events.ts';

/** A lease in a file beside the journal, which names its holder and when it ends. */
export class FileLease implements Lease {
  readonly #folder: string;
  readonly #file: string;
  readonly #holder = randomUUID();
  #isHeld = false;
  /** When to write the file again, by performance.now. */
  #renewAt = 0;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#file = join(folder, `${name}.lease.json`);
  }

  async hold(): Promise<boolean> {
    const isOurs = await this.#isOurs();
    // It may have ended while this process was stopped, and others may have come and gone.
    const isLost = this.#isHeld && isOurs !== true;
    this.#isHeld = !isLost && isOurs !== false && (await this.#take(isOurs === true));
    return this.#isHeld;
  }

  async #take(isOurs: boolean): Promise<boolean> {
    if (isOurs && performance.now() < this.#renewAt) return true;
    await makeFolder(this.#folder, 0o750);
    return locked(`${this.#file}.lock`, async () => {
      const now = await this.#isOurs();
      if (now === false || (isOurs && now === undefined)) return false;
      const lease = { holder: this.#holder, until: Date.now() + LEASE_MS };
      await replaceFile(this.#file, JSON.stringify(lease));
      this.#renewAt = performance.now() + LEASE_MS / 3;
      return true;
    });
  }

  async isHeld(): Promise<boolean> {
    return (await this.#isOurs()) === true;
  }

  async release(): Promise<void> {
    this.#isHeld = false;
    if (await this.#isOurs()) await removeFile(this.#file);
  }

  /** @returns undefined where nobody holds the lease */
  async #isOurs(): Promise<boolean | undefined> {
    const { holder, until } = Object(parseJson(readIfAny(this.#file))) as Record<string, unknown>;
    const left = typeof until === 'number' ? until - Date.now() : 0;
    const isOurs = holder === this.#holder;
    // The clock may have been set back, if only by a millisecond: then others may take the lease.
    return left > 0 && (isOurs || left <= LEASE_MS) ? isOurs : undefined;
  }
}
