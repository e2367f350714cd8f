import { statSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  codeOf,
  locked,
  makeFile,
  makeFolder,
  naming,
  type Owner,
  readWhole,
} from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import type { ResolvedLink } from '../../link/link-store.ts';
import { newMessageId } from '../../link/message-id.ts';
import { BlockSet, parseRuling, rulingKey, rulingLine, splitRulingLine } from '../block-set.ts';
import type { EditableBlockList, Ruling } from '../store.ts';

const FORMS = '"token T", "message M", "url U", "domain D" or "retarget …"';
const HEAD = `# What clickmilter blocks or retargets, one per line: ${FORMS}.
# Read again whenever it changes; "clickmilter block", "unblock" and "retarget" edit it.
`;

/**
 * How soon a list that could not be read is tried again, although the file did not change:
 * descriptors may be free again.
 */
const RETRY_MS = 1000;

/** How many invalid lines the log shows, and how much of each: the file may be any other. */
const MAX_NAMED = 10;
const MAX_SHOWN = 200;

interface List {
  readonly lines: readonly string[];
  /** The file that they were read from; absent where there is none. */
  readonly file?: Owner & { readonly mode: number };
}

/**
 * The block list of a host without Redis: a text file that is checked for each link, and read again
 * when it has changed.
 */
export class BlockListFile implements EditableBlockList {
  readonly #path: string;
  readonly #logger: Logger;
  #set = new BlockSet([]);
  #state = '';
  #reading = Promise.resolve();
  /** By performance.now: the wall clock may jump. */
  #retryAt = Number.POSITIVE_INFINITY;
  /** Why the file could not be read the last time. */
  #failure = '';

  constructor(path: string, logger: Logger = silent) {
    this.#path = path;
    this.#logger = logger;
  }

  async find(token: string, resolved: ResolvedLink): Promise<Ruling | undefined> {
    const state = this.#look();
    if (state !== this.#state || performance.now() >= this.#retryAt) {
      this.#state = state;
      this.#retryAt = Number.POSITIVE_INFINITY;
      this.#reading = this.#reading.catch(() => {}).then(() => this.#read());
    }
    // Requests that come while the file is read wait for it.
    await this.#reading;
    return this.#set.find(token, resolved);
  }

  async add(ruling: Ruling): Promise<boolean> {
    const line = rulingLine(ruling);
    let isNew = false;
    await this.#edit((lines) => {
      if (lines.includes(line)) return lines;
      const others = linesOfOthers(lines, ruling);
      isNew = others.length === lines.length;
      return [...others, line];
    });
    return isNew;
  }

  async remove(ruling: Ruling): Promise<boolean> {
    let isRemoved = false;
    await this.#edit((lines) => {
      const others = linesOfOthers(lines, ruling);
      isRemoved = others.length < lines.length;
      return isRemoved ? others : lines;
    });
    return isRemoved;
  }

  async all(): Promise<readonly Ruling[]> {
    return this.#parse((await this.#list()).lines).sort(byKey);
  }

  /** The rulings of the lines. Invalid lines are logged. */
  #parse(lines: readonly string[]): Ruling[] {
    const rulings: Ruling[] = [];
    let invalid = 0;
    for (const [index, line] of lines.entries()) {
      const ruling = parseRuling(...splitRulingLine(line));
      if (ruling !== undefined) rulings.push(ruling);
      else if (line !== '' && !line.startsWith('#') && ++invalid <= MAX_NAMED) {
        this.#logger.error(
          { place: `${this.#path}:${index + 1}`, line: line.slice(0, MAX_SHOWN) },
          `invalid line in block list, ignored: expected ${FORMS}`,
        );
      }
    }
    if (invalid > MAX_NAMED) {
      this.#logger.error(
        { place: this.#path, lines: invalid - MAX_NAMED },
        'further invalid lines in block list, ignored',
      );
    }
    return rulings;
  }

  /** A text that differs after each change of the file, and where its state cannot be read. */
  #look(): string {
    try {
      // Synchronous, because a turn through the thread pool takes many times longer.
      const found = statSync(this.#path, { throwIfNoEntry: false });
      // ctime covers changed permissions too.
      return found === undefined ? 'none' : `${found.ino} ${found.ctimeMs} ${found.size}`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #read(): Promise<void> {
    try {
      this.#set = new BlockSet(this.#parse((await this.#list()).lines));
      this.#failure = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) {
        this.#logger.error(
          { reason: message },
          'the block list cannot be read: the last one holds',
        );
      }
      this.#failure = message;
      this.#retryAt = performance.now() + RETRY_MS;
    }
  }

  async #list(): Promise<List> {
    try {
      const text = readWhole(this.#path).toString().trimEnd();
      const file = await stat(this.#path);
      return { lines: text.split(/\r?\n/).map((line) => line.trim()), file };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { lines: HEAD.trimEnd().split('\n') };
      throw error;
    }
  }

  /** @param change returns the same lines where nothing changes */
  async #edit(change: (lines: readonly string[]) => readonly string[]): Promise<void> {
    await makeFolder(dirname(this.#path), 0o750);
    await locked(`${this.#path}.lock`, async () => {
      const before = await this.#list();
      const lines = change(before.lines);
      if (lines !== before.lines) await this.#replace({ ...before, lines });
    });
  }

  /**
   * Replaces the file atomically. Its owner and mode stay; a new file belongs to the owner of the
   * folder.
   */
  async #replace({ lines, file }: List): Promise<void> {
    const draft = `${this.#path}.${newMessageId()}.new`;
    const handle = await makeFile(draft, file ? file.mode & 0o777 : 0o640, file);
    try {
      await naming(draft, () => handle.writeFile(`${lines.join('\n')}\n`));
      await naming(draft, () => handle.sync());
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }
}

/** The lines but those of a ruling about the same links. */
function linesOfOthers(lines: readonly string[], ruling: Ruling): readonly string[] {
  const key = rulingKey(ruling);
  return lines.filter((line) => splitRulingLine(line)[0] !== key);
}

function byKey(a: Ruling, b: Ruling): number {
  return rulingKey(a) < rulingKey(b) ? -1 : 1;
}
