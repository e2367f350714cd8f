import { promises as fs } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';

export interface UnixSocketAddress {
  readonly path: string;
  /** Permissions of the socket file. Default 0o660. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Listens on a unix socket, in the place of one that a dead process left behind, never of a living one's. */
export async function listenUnix(server: Server, where: UnixSocketAddress): Promise<void> {
  await removeStale(where.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket file is made within this call, and open to nobody until its mode is set.
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

/** Removes a socket that nobody listens on any more; anything else in that place is an error. */
export async function removeStale(path: string): Promise<void> {
  const found = await fs.lstat(path).catch(() => undefined);
  if (found === undefined) {
    // The system's own error would speak of permissions.
    const folder = dirname(path);
    await fs.stat(folder).catch((error: Error) => {
      throw new Error(`milter: listen: ${path}: ${error.message}: expected an existing folder`);
    });
    return;
  }
  if (!found.isSocket()) {
    throw new Error(`milter: listen: ${path} exists and is no socket: expected a free path`);
  }
  const error = await probe(path);
  if (error?.code === 'ENOENT') return;
  if (error?.code !== 'ECONNREFUSED') {
    const what = error === undefined ? 'another process listens there' : error.message;
    throw new Error(`milter: listen: ${path}: ${what}: expected a free path or a stale socket`);
  }
  await fs.unlink(path);
}

/** Whether somebody listens: undefined, or the error of the attempt. */
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
