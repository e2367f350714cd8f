import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/*
 * Files of the service that commands make and write as well. Commands may be run by root, the service has a user of its
 * own: what root makes must be usable for that user, whose folder it lies in, and nothing that user can put there may
 * lead root to another file.
 */

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Makes a folder, and those above it that are missing; made by root, they are the user's whose folder they lie in. */
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
 * Makes a file and opens it for appending.
 * @param owner whose it will be when root makes it; the folder's owner where none is named
 * @throws Error with the code EEXIST where there is something, be it a symbolic link
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

/** Opens a file for appending, and makes it where there is none. */
export async function openToAppend(path: string, mode: number): Promise<FileHandle> {
  try {
    return await makeFile(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  try {
    return await open(path, O_WRONLY | O_APPEND | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) !== 'ELOOP') throw error;
    throw new Error(
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

/** A container's root may have no right to; who can use the file then is the operator's to say. */
async function give(file: FileHandle, { uid, gid }: Owner): Promise<void> {
  await file.chown(uid, gid).catch((error) => {
    if (codeOf(error) !== 'EPERM' && codeOf(error) !== 'EINVAL') throw error;
  });
}
