import { statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { locked } from '../../lib/lock-file.ts';
import { codeOf, makeFile, makeFolder, type Owner } from '../../lib/service-files.ts';
import type { ResolvedLink } from '../../link/link-store.ts';
import { newMessageId } from '../../link/message-id.ts';
import { BlockSet, blockKey, parseBlock } from '../block-set.ts';
import type { Block, EditableBlockList } from '../store.ts';

const HEAD = `# What clickmilter blocks: "token T", "message M", "url U" or "domain D" a line.
# Read again whenever it changes; "clickmilter block" and "unblock" edit it.
`;

/** How long a list that could not be read is let be: what was missing (descriptors, the disk) may be back without a change of the file. */
const RETRY_MS = 1000;

interface List {
  readonly lines: readonly string[];
  /** Of the file they were read from; absent where there is none. */
  readonly file?: Owner & { readonly mode: number };
}

/** The block list of a host without Redis: a text file, looked at for each link, and read again when it has changed. */
export class BlockListFile implements EditableBlockList {
  readonly #path: string;
  readonly #onProblem: (message: string) => void;
  #set = new BlockSet([]);
  #state = '';
  #reading = Promise.resolve();
  /** On the monotonic clock. */
  #retryAt = Number.POSITIVE_INFINITY;
  /** Why the file could not be read the last time. */
  #failure = '';

  /**
   * @param onProblem told once what is wrong with the file; the list before it, or the rest of the lines, hold
   */
  constructor(path: string, onProblem: (message: string) => void = () => {}) {
    this.#path = path;
    this.#onProblem = onProblem;
  }

  async find(token: string, resolved: ResolvedLink): Promise<Block | undefined> {
    const state = this.#look();
    if (state !== this.#state || performance.now() >= this.#retryAt) {
      this.#state = state;
      this.#retryAt = Number.POSITIVE_INFINITY;
      this.#reading = this.#reading.catch(() => {}).then(() => this.#read());
    }
    // Whoever asks while the file is being read waits for what it says.
    await this.#reading;
    return this.#set.find(token, resolved);
  }

  add(block: Block): Promise<boolean> {
    const key = blockKey(block);
    return this.#edit((lines) => (lines.includes(key) ? lines : [...lines, key]));
  }

  remove(block: Block): Promise<boolean> {
    const key = blockKey(block);
    return this.#edit((lines) => lines.filter((line) => line !== key));
  }

  async all(): Promise<readonly Block[]> {
    const { lines } = await this.#list();
    return lines.flatMap((line) => parseBlock(line) ?? []).sort(byKey);
  }

  /** What is another text after each change of the file, also of one that cannot be looked at. */
  #look(): string {
    try {
      // Synchronous: it takes microseconds, a turn through the thread pool many times that.
      const found = statSync(this.#path, { throwIfNoEntry: false });
      // The time of the last change tells of permissions too.
      return found === undefined ? 'none' : `${found.ino} ${found.ctimeMs} ${found.size}`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #read(): Promise<void> {
    try {
      const blocks: Block[] = [];
      for (const [index, line] of (await this.#list()).lines.entries()) {
        const block = parseBlock(line);
        if (block !== undefined) blocks.push(block);
        else if (line !== '' && !line.startsWith('#')) {
          this.#onProblem(
            `${this.#path}:${index + 1}: "${line}" is no block; a line is "token T", "message M", "url U" or "domain D"`,
          );
        }
      }
      this.#set = new BlockSet(blocks);
      this.#failure = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#onProblem(message);
      this.#failure = message;
      this.#retryAt = performance.now() + RETRY_MS;
    }
  }

  async #list(): Promise<List> {
    try {
      const handle = await open(this.#path);
      try {
        const text = (await handle.readFile('utf8')).trimEnd();
        return { lines: text.split(/\r?\n/).map((line) => line.trim()), file: await handle.stat() };
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { lines: HEAD.trimEnd().split('\n') };
      throw error;
    }
  }

  /** @returns whether there is a change */
  async #edit(change: (lines: readonly string[]) => readonly string[]): Promise<boolean> {
    await makeFolder(dirname(this.#path), 0o750);
    return locked(`${this.#path}.lock`, async () => {
      const before = await this.#list();
      const lines = change(before.lines);
      if (lines.length === before.lines.length) return false;
      await this.#replace({ ...before, lines });
      return true;
    });
  }

  /** Whole or not at all, and readable for whoever could read it before, or owns the folder. */
  async #replace({ lines, file }: List): Promise<void> {
    const draft = `${this.#path}.${newMessageId()}.new`;
    const handle = await makeFile(draft, file ? file.mode & 0o777 : 0o640, file);
    try {
      await handle.writeFile(`${lines.join('\n')}\n`);
      await handle.sync();
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }
}

function byKey(a: Block, b: Block): number {
  return blockKey(a) < blockKey(b) ? -1 : 1;
}
