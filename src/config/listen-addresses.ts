import { formatAddress } from '../scope/address.ts';
import { parseListen } from '../scope/listen-address.ts';
import type { ListenAddress } from './listen-address.ts';
import { socketOptions } from './listener-options.ts';
import { present } from './present.ts';
import { type Stanza, valuesOf } from './stanza.ts';

/**
 * Where one of our listeners listens.
 * @param defaultAddress for a listener without any Listen
 */
export function listenAddresses(
  listener: Stanza | undefined,
  defaultAddress: { readonly host: string; readonly port: number },
): readonly ListenAddress[] {
  if (listener && !listener.isEnabled) return [];
  const sockets = listener?.childrenOf('socket') ?? [];
  if (sockets.length === 0) return [defaultAddress];
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
