import { formatAddress } from '../scope/address.ts';
import { parseListen } from '../scope/listen-address.ts';
import type { ListenAddress } from './listen-address.ts';
import { socketOptions } from './listener-options.ts';
import { present } from './present.ts';
import { type Stanza, valuesOf } from './stanza.ts';

/** Where our listeners listen without any Listen. */
export const defaultAddresses = {
  milter_listener: { host: '127.0.0.1', port: 8893 },
  http_listener: { host: '127.0.0.1', port: 8080 },
  control_listener: { host: '127.0.0.1', port: 8894 },
} as const;

export type ListenerId = keyof typeof defaultAddresses;

/** Where one of our listeners listens. */
export function listenAddresses(root: Stanza, id: ListenerId): readonly ListenAddress[] {
  const listener = root.child(id);
  if (listener && !listener.isEnabled) return [];
  const sockets = listener?.childrenOf('socket') ?? [];
  if (sockets.length === 0) return [defaultAddresses[id]];
  return sockets
    .filter((socket) => socket.isEnabled)
    .flatMap((socket) => listenAddress(socket) ?? []);
}

function listenAddress(socket: Stanza): ListenAddress | undefined {
  const listen = parseListen(socket.label ?? '');
  if (!listen) return undefined;
  if ('path' in listen) {
    const {
      file_mode: mode,
      file_owner: owner,
      file_group: group,
    } = valuesOf(socketOptions, socket);
    return present({ path: listen.path, mode, owner, group });
  }
  const { address, family, port } = listen;
  if (address) return { host: formatAddress(address), port };
  return family ? { host: family === 4 ? '0.0.0.0' : '::', port } : { port };
}
