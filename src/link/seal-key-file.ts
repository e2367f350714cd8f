import { type FileHandle, link, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  codeOf,
  makeFile,
  makeFolder,
  naming,
  openToAppend,
  readWhole,
  UnusableFile,
} from '../lib/files.ts';
import { newMessageId } from './message-id.ts';
import {
  formatSealKey,
  newSealKey,
  parseSealKeys,
  type SealKey,
  type SealKeys,
} from './seal-keys.ts';

const HEAD = `# Sealing keys of clickmilter, one per line: ID DATE SECRET. The newest whose date has come seals; all of them open.
# Keep this file secret and in the backup: without it, links in mail already sent lead nowhere.
# Hosts that answer for the same links have the same lines. "clickmilter keygen" adds a key.
`;

const MODE = 0o600;

/**
 * The key file of sealed links. A missing file is created on the very first start only, together
 * with a note beside it (`FILE.made`). From then on a missing file is an error, because a new key
 * would silently turn every link already sent into a 404.
 */
export class SealKeyFile {
  readonly #path: string;
  #keys: SealKeys;

  private constructor(path: string, keys: SealKeys) {
    this.#path = path;
    this.#keys = keys;
  }

  /** Opens the key file. @throws Error that names the file and the remedy */
  static async open(path: string): Promise<SealKeyFile> {
    // In this order, because another worker that is creating the file leaves the note after it.
    const wasMade = await exists(noteOf(path));
    if (!wasMade && !(await exists(path))) await addSealKey(path);
    const keys = await read(path);
    await leaveNote(path);
    return new SealKeyFile(path, keys);
  }

  readonly keys = (): SealKeys => this.#keys;

  /**
   * Reads the file again. The keys stay unchanged where that fails.
   * @throws Error as `open`
   */
  async reload(): Promise<void> {
    this.#keys = await read(this.#path);
  }
}

/**
 * Checks the key file without creating it.
 * @throws UnusableFile that names the file and the remedy
 */
export async function checkSealKeyFile(path: string): Promise<void> {
  if ((await exists(path)) || (await exists(noteOf(path)))) await read(path);
}

/**
 * Adds a new key to the file, or creates the file, readable for its owner only.
 *
 * @param from when the key begins to seal, Unix milliseconds
 */
export async function addSealKey(path: string, from = Date.now()): Promise<SealKey> {
  const before = textOf(path);
  const key = newSealKey(before === undefined ? [] : parseSealKeys(before, path).all, from);
  if (before === undefined) {
    await create(path, HEAD + formatSealKey(key));
  } else {
    // Appended, so that owner and mode stay as the operator set them.
    const file = await openToAppend(path, MODE);
    await write(path, file, (before.endsWith('\n') ? '' : '\n') + formatSealKey(key));
  }
  await leaveNote(path);
  return key;
}

/**
 * Creates the file atomically: workers that start together must not see half of it, and the first
 * of them wins.
 */
async function create(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path), 0o700);
  const draft = `${path}.${newMessageId()}.new`;
  const file = await makeFile(draft, MODE);
  try {
    await write(draft, file, text);
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}

async function write(path: string, file: FileHandle, text: string): Promise<void> {
  try {
    await naming(path, () => file.writeFile(text));
    await naming(path, () => file.sync());
  } finally {
    await file.close();
  }
}

async function read(path: string): Promise<SealKeys> {
  const text = textOf(path);
  if (text === undefined) throw new UnusableFile(missing(path));
  return parseSealKeys(text, path);
}

/** @returns undefined where there is no file */
function textOf(path: string): string | undefined {
  try {
    return readWhole(path).toString();
  } catch (error) {
    return absent(error);
  }
}

function missing(path: string): string {
  return (
    `${path}: the key file is gone (${noteOf(path)} says there was one), and without it no sealed link already sent can be ` +
    'opened. Restore it from the backup or from another host. To give up those links, run clickmilter keygen'
  );
}

function noteOf(path: string): string {
  return `${path}.made`;
}

/** Leaves the note. In a folder that cannot be written, no key could be created either. */
async function leaveNote(path: string): Promise<void> {
  const note =
    'A key file was made or found here. While this note exists, a missing one is an error.\n';
  await writeFile(noteOf(path), note, { flag: 'wx' }).catch(() => {});
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(absent)) !== undefined;
}

/** For catch: undefined for a file that does not exist; rethrows any other error. */
function absent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}
