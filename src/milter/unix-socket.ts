import { promises as fs } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';

/** A unix socket to listen on. */
export interface UnixSocketAddress {
  readonly path: string;
  /** Permissions of the socket file. Default 0o660. */
  readonly mode?: number;
  /** Owner of the socket file. Default: the user of this process. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Listens on a unix socket. It replaces a socket that a dead process has left behind.
 * @throws Error if another process listens there, or if the path is not a socket
 */
export async function listenUnix(server: Server, where: UnixSocketAddress): Promise<void> {
  await removeStale(where.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The call creates the socket file. Nobody may connect until its mode is set.
    const before = process.umask(0o777);
    server.listen(where.path, () => {
      server.off('error', reject);
      resolve();
    });
    process.umask(before);
  });
  if (where.owner !== undefined) await fs.chown(where.path, where.owner.uid, where.owner.gid);
  await fs.chmod(where.path, where.mode ?? 0o660);
}

/**
 * Removes a socket on which nobody listens any more.
 * @param place the beginning of the message of an error
 * @throws Error if another process listens there, if the path is not a socket, or if its folder
 *   does not exist
 */
export async function removeStale(path: string, place = 'milter: listen'): Promise<void> {
  const found = await fs.lstat(path).catch(() => undefined);
  if (found === undefined) {
    // The error of listen() would be EACCES, which is misleading.
    const folder = dirname(path);
    await fs.stat(folder).catch((error: Error) => {
      throw new Error(`${place}: ${path}: ${error.message}: expected an existing folder`);
    });
    return;
  }
  if (!found.isSocket()) {
    throw new Error(`${place}: ${path} exists and is not a socket: expected a free path`);
  }
  const error = await probe(path);
  if (error?.code === 'ENOENT') return;
  if (error?.code !== 'ECONNREFUSED') {
    const what = error === undefined ? 'another process listens there' : error.message;
    throw new Error(`${place}: ${path}: ${what}: expected a free path or a stale socket`);
  }
  await fs.unlink(path);
}

/** Tries to connect. Returns undefined if a process listens, or else the error. */
function probe(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(error));
  });
}
