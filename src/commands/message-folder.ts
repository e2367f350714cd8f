import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { printableName } from '../lib/printable.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/** What lies in a folder: paths relative to it, as bytes, since a name need not be UTF-8. */
export interface MessageFolder {
  readonly files: readonly Buffer[];
  /** Folders in it that could not be looked into, a line each. */
  readonly unread: readonly string[];
}

/**
 * Every file below a folder, also by way of a symbolic link.
 * @throws CommandFailed where it is no folder, or cannot be read itself
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
      ? 'is no folder; a single message is read from standard input'
      : String(error);
    throw new CommandFailed(exitCode.usage, `${folder}: ${why}`);
  }
  // It grows meanwhile.
  for (const path of inner) {
    await list(pathIn(folder, path), [path, SLASH]).catch((error) =>
      unread.push(whyUnread('folder', folder, path, error)),
    );
  }
  return { files: files.sort(Buffer.compare), unread };
}

const SLASH = Buffer.from('/');

/** The whole path of what lies in a folder. */
export function pathIn(folder: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(resolve(folder)), SLASH, path]);
}

/** A line about something in a folder that could not be read. */
export function whyUnread(
  what: 'message' | 'folder',
  folder: string,
  path: Buffer,
  error: Error,
): string {
  // Node.js goes on with the path, as it is.
  const [reason] = error.message.split(', ');
  return `cannot read the ${what} ${printableName(pathIn(folder, path))}: ${reason}`;
}

/** Whether there is one, be it by way of a link. */
function isFile(path: string | Buffer): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
