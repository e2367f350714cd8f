import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { reasonOf } from '../lib/logger.ts';
import { printableName } from '../lib/printable.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/** The contents of a folder. Paths are relative to it, and bytes, as a name need not be UTF-8. */
interface MessageFolder {
  readonly files: readonly Buffer[];
  /** A line for each subfolder that could not be read. */
  readonly unread: readonly string[];
}

/**
 * Lists every file below a folder, including symbolic links to files.
 * @throws CommandFailed if it is not a folder or cannot be read
 */
export async function openMessageFolder(folder: string): Promise<MessageFolder> {
  const files: Buffer[] = [];
  const unread: string[] = [];
  const inner: Buffer[] = [];
  const list = async (path: string | Buffer, prefix: readonly Buffer[]) => {
    for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
      const found = Buffer.concat([...prefix, entry.name]);
      if (entry.isDirectory()) inner.push(found);
      else if (
        entry.isFile() ||
        (entry.isSymbolicLink() && (await isFile(pathIn(folder, found))))
      ) {
        files.push(found);
      }
    }
  };
  try {
    await list(folder, []);
  } catch (error) {
    const why = (await isFile(folder))
      ? 'is not a folder; a single message is read from standard input'
      : reasonOf(error);
    throw new CommandFailed(exitCode.usage, `${folder}: ${why}`);
  }
  // The array grows during the loop.
  for (const path of inner) {
    await list(pathIn(folder, path), [path, SLASH]).catch((error) =>
      unread.push(whyUnread('folder', folder, path, error)),
    );
  }
  return { files: files.sort(Buffer.compare), unread };
}

const SLASH = Buffer.from('/');

/** The whole path of an entry of a folder. */
export function pathIn(folder: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(resolve(folder)), SLASH, path]);
}

/** Describes an entry of a folder that could not be read. */
export function whyUnread(
  what: 'message' | 'folder',
  folder: string,
  path: Buffer,
  error: Error,
): string {
  // Node.js appends the path unescaped.
  const [reason] = error.message.split(', ');
  return `cannot read the ${what} ${printableName(pathIn(folder, path))}: ${reason}`;
}

/** Whether a path is a file or a symbolic link to one. */
function isFile(path: string | Buffer): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
