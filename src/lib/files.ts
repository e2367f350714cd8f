import { randomInt } from 'node:crypto';
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
} from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/*
 * Files that the service and its commands write. Commands may be run by root, while the service has
 * a user of its own. So files that root creates must be usable for the owner of their folder, and
 * nothing that this user creates there may make root write to another file.
 */

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } =
  constants;

/** A file whose content cannot be used. The message names the file and says what would be right. */
export class UnusableFile extends Error {
  override readonly name = 'UnusableFile';
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Creates a folder and its missing parents. Where root creates them, they belong to the owner of
 * the folder above.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined || !isRoot()) return;
  const owner = await stat(dirname(first));
  for (let made = resolve(path); made.length >= first.length; made = dirname(made)) {
    const folder = await open(made, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    await give(folder, owner).finally(() => folder.close());
  }
}

/**
 * Creates a file and opens it for appending.
 * @param owner the owner of the file where root creates it; default: the owner of the folder
 * @throws Error with the code EEXIST where the path exists, even as a symbolic link
 */
export async function makeFile(path: string, mode: number, owner?: Owner): Promise<FileHandle> {
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, mode);
  try {
    if (isRoot()) await give(file, owner ?? (await stat(dirname(path))));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Larger than any file that is read at once: 5 million opt-outs. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Reads a whole file. Anything else in its place is refused: a read of a pipe or of `/dev/zero`
 * would never end.
 * @throws Error that names the file
 */
export function readWhole(path: string, maxBytes = MAX_BYTES): Buffer {
  const file = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new UnusableFile(`${path}: expected a file`);
    if (stats.size > maxBytes) {
      throw new UnusableFile(`${path} has ${stats.size} bytes: expected at most ${maxBytes}`);
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** The text of a file, which is empty where it cannot be read. */
export function readIfAny(path: string): string {
  try {
    return readWhole(path).toString();
  } catch {
    return '';
  }
}

/**
 * Names what is in a folder, but for pipes and devices: reading one would never end. There is nothing
 * where there is no folder.
 */
export async function entriesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(noneIfGone);
  const ends = (entry: Dirent) =>
    entry.isSymbolicLink() ? leadsToEnd(join(folder, entry.name)) : endsSomewhere(entry);
  return entries.filter(ends).map(({ name }) => name);
}

/** A link that leads nowhere is an error for its reader, as a file that cannot be read is. */
function leadsToEnd(path: string): boolean {
  try {
    return endsSomewhere(statSync(path));
  } catch {
    return true;
  }
}

function endsSomewhere(entry: Dirent | Stats): boolean {
  return entry.isFile() || entry.isDirectory();
}

/**
 * Does something with an open file. Errors such as `ENOSPC: no space left on device, write` name no
 * file, so its path is added to them.
 */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && codeOf(error) !== undefined && !error.message.includes(path)) {
      error.message = `${path}: ${error.message}`;
    }
    throw error;
  }
}

/** Opens a file for appending, and creates it where there is none. */
export async function openToAppend(path: string, mode: number): Promise<FileHandle> {
  try {
    return await makeFile(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return openOwn(path, O_APPEND);
}

/** Opens a file for writing at any place, and creates it where there is none. */
export async function openToWrite(path: string, mode: number): Promise<FileHandle> {
  // Linux writes to the end of a file that is open for appending, whatever place is given.
  await (await openToAppend(path, mode)).close();
  return openOwn(path, 0);
}

async function openOwn(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | flags);
  } catch (error) {
    if (codeOf(error) !== 'ELOOP') throw error;
    throw new UnusableFile(
      `${path} is a symbolic link: nothing is written through it, name the file itself`,
    );
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Changes the owner. The root of a container may not have the right to; then the operator has to.
 */
async function give(file: FileHandle, { uid, gid }: Owner): Promise<void> {
  await file.chown(uid, gid).catch((error) => {
    if (codeOf(error) !== 'EPERM' && codeOf(error) !== 'EINVAL') throw error;
  });
}

/**
 * For catch: the content of a file that is gone, because other processes remove and rename files at
 * any time.
 */
export function noneIfGone(error: unknown): [] {
  if (codeOf(error) === 'ENOENT') return [];
  throw error;
}

/** @returns whether this call removed the file; of several processes, only one does */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    noneIfGone(error);
    return false;
  }
}

/** The largest number that names a draft. */
const MAX_DRAFT = 2 ** 47;

/**
 * Replaces the content of a file atomically: readers see the old or the new content, also after a
 * crash.
 * @param mayReplace asked when the draft of the new content is on disk: a process that takes the
 * right to replace the file over removes drafts, so that no other one does so afterwards
 * @returns false where the file was not replaced, because this process may not do so any more
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  mayReplace?: () => Promise<boolean>,
): Promise<boolean> {
  const draft = `${path}.${randomInt(MAX_DRAFT)}.tmp`;
  try {
    await naming(draft, () => writeFile(draft, content, { mode: 0o640, flush: true }));
    if ((await mayReplace?.()) === false) {
      await removeFile(draft);
      return false;
    }
    await rename(draft, path);
    return true;
  } catch (error) {
    if (mayReplace !== undefined && codeOf(error) === 'ENOENT') return false;
    await removeFile(draft).catch(() => false);
    throw error;
  }
}

/**
 * Appends a text, or nothing of it. The next one must not follow half of it, as on a full disk, and
 * it is appended again.
 */
export async function appendWhole(file: FileHandle, text: string): Promise<void> {
  const { size } = await file.stat();
  try {
    await file.appendFile(text);
  } catch (error) {
    await file.truncate(size).catch(() => undefined);
    throw error;
  }
}

/** Removes the drafts of a file, so that a process that is stopped does not replace it any more. */
export async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  const start = `${basename(path)}.`;
  for (const name of await readdir(folder).catch(noneIfGone)) {
    if (name.startsWith(start) && name.endsWith('.tmp')) await removeFile(join(folder, name));
  }
}

const LOCK_RETRY_MS = 20;
/**
 * A lock of this age belongs to a process that was killed: the work under a lock takes
 * milliseconds.
 */
const STALE_LOCK_MS = 10_000;

/**
 * Runs an action in one process at a time, while the others wait. The lock file exists during the
 * action.
 */
export async function locked<T>(path: string, action: () => Promise<T>): Promise<T> {
  while (!(await takeLock(path))) await sleep(LOCK_RETRY_MS);
  return action().finally(() => rm(path, { force: true }));
}

async function takeLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const held = await lstat(path).catch(() => undefined);
  // A time in the future counts as well: the clock may have been set back.
  const isStale = held !== undefined && Math.abs(Date.now() - held.mtimeMs) > STALE_LOCK_MS;
  if (isStale) await rm(path, { force: true });
  return false;
}
