import cluster from 'node:cluster';

const FIRST_FD = 3; // SD_LISTEN_FDS_START

/**
 * The listening sockets that systemd (or anything that speaks sd_listen_fds(3)) opened for
 * this process: descriptors by name (`FileDescriptorName=` of the socket unit), fit for
 * `server.listen({ fd })`. Empty where there are none, or where they were meant for another process.
 *
 * In a cluster worker the numbers are those of the primary, which is what `listen({ fd })` means
 * there: the descriptor is opened in the primary and shared.
 * @throws Error where the environment contradicts itself
 */
export function inheritedSockets(
  env: NodeJS.ProcessEnv = process.env,
  pid = cluster.isWorker ? process.ppid : process.pid,
): ReadonlyMap<string, readonly number[]> {
  const sockets = new Map<string, number[]>();
  if (env['LISTEN_FDS'] === undefined || env['LISTEN_PID'] !== String(pid)) return sockets;

  const count = Number(env['LISTEN_FDS']);
  if (!Number.isInteger(count) || count < 0) {
    throw new Error(`LISTEN_FDS is "${env['LISTEN_FDS']}", expected a number of sockets`);
  }
  const names = env['LISTEN_FDNAMES']?.split(':') ?? [];
  if (names.length > 0 && names.length !== count) {
    throw new Error(`LISTEN_FDNAMES holds ${names.length} names for ${count} sockets`);
  }
  for (let index = 0; index < count; index++) {
    const name = names[index] || 'unknown'; // the name sd_listen_fds_with_names(3) gives
    const fds = sockets.get(name);
    if (fds === undefined) sockets.set(name, [FIRST_FD + index]);
    else fds.push(FIRST_FD + index);
  }
  return sockets;
}
