import { statSync } from 'node:fs';
import { chown, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BlockSet, blockKey, parseBlock } from './block-set.ts';
import type { Block } from './click.ts';
import type { EditableBlockList } from './editable-block-list.ts';
import type { ResolvedLink } from './link-store.ts';

const HEAD = `# What clickmilter blocks: "token T", "message M", "url U" or "domain D" a line.
# Read again whenever it changes; "clickmilter block" and "unblock" edit it.
`;

/** The block list of a host without Redis: a text file, looked at for each link, and read again when it has changed. */
export class BlockListFile implements EditableBlockList {
  readonly #path: string;
  readonly #onProblem: (message: string) => void;
  #set = new BlockSet([]);
  #state = '';
  #reading = Promise.resolve();

  /**
   * @param onProblem told once a change what is wrong with the file; the list before it, or the rest of the lines, hold
   */
  constructor(path: string, onProblem: (message: string) => void = () => {}) {
    this.#path = path;
    this.#onProblem = onProblem;
  }

  async find(token: string, resolved: ResolvedLink): Promise<Block | undefined> {
    // Synchronous: it takes microseconds, a turn through the thread pool many times that.
    const found = statSync(this.#path, { throwIfNoEntry: false });
    // The time of the last change tells of permissions too.
    const state = found === undefined ? 'none' : `${found.ino} ${found.ctimeMs} ${found.size}`;
    if (state !== this.#state) {
      this.#state = state;
      this.#reading = this.#reading.then(() => this.#read());
    }
    // Whoever asks while the file is being read waits for what it says.
    await this.#reading;
    return this.#set.find(token, resolved);
  }

  async add(block: Block): Promise<boolean> {
    const lines = await this.#lines();
    if (lines.includes(blockKey(block))) return false;
    await this.#replace([...lines, blockKey(block)]);
    return true;
  }

  async remove(block: Block): Promise<boolean> {
    const lines = await this.#lines();
    const others = lines.filter((line) => line !== blockKey(block));
    if (others.length === lines.length) return false;
    await this.#replace(others);
    return true;
  }

  async all(): Promise<readonly Block[]> {
    return (await this.#lines()).flatMap((line) => parseBlock(line) ?? []).sort(byKey);
  }

  async #read(): Promise<void> {
    try {
      const blocks: Block[] = [];
      for (const [index, line] of (await this.#lines()).entries()) {
        const block = parseBlock(line);
        if (block !== undefined) blocks.push(block);
        else if (line !== '' && !line.startsWith('#')) {
          this.#onProblem(
            `${this.#path}:${index + 1}: "${line}" is no block; a line is "token T", "message M", "url U" or "domain D"`,
          );
        }
      }
      this.#set = new BlockSet(blocks);
    } catch (error) {
      this.#onProblem((error as Error).message);
    }
  }

  async #lines(): Promise<string[]> {
    try {
      const text = await readFile(this.#path, 'utf8');
      return text
        .trimEnd()
        .split(/\r?\n/)
        .map((line) => line.trim());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return HEAD.trimEnd().split('\n');
      throw error;
    }
  }

  /** Whole or not at all, and readable for whoever could read it before, or owns the folder. */
  async #replace(lines: readonly string[]): Promise<void> {
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true });
    const { uid, gid } = await stat(this.#path).catch(() => stat(folder));
    const draft = `${this.#path}.${process.pid}.new`;
    await writeFile(draft, `${lines.join('\n')}\n`, { mode: 0o640, flush: true });
    if (process.getuid?.() === 0) await chown(draft, uid, gid);
    await rename(draft, this.#path);
  }
}

function byKey(a: Block, b: Block): number {
  return blockKey(a) < blockKey(b) ? -1 : 1;
}
