import { formatAddress } from '../lib/address.ts';
import { parseListen } from '../scope/listen-address.ts';
import { socketOptions } from './listener-options.ts';
import type { DefaultContext } from './option-definition.ts';
import { type Fields, stanzaFields } from './option-fields.ts';
import type { Stanza } from './stanza.ts';

/** Where a server listens. */
export type ListenAddress =
  /** `host` is an IP address, unbracketed; `::` is IPv6 only, absent is every address of both families. */
  | { readonly host?: string; readonly port: number }
  | ({ readonly path: string } & Fields<typeof socketOptions>);

/** Where our listeners listen without any Listen. */
export const defaultAddresses = {
  milter_listener: { host: '127.0.0.1', port: 8893 },
  http_listener: { host: '127.0.0.1', port: 8080 },
  control_listener: { host: '127.0.0.1', port: 8894 },
} as const;

export type ListenerId = keyof typeof defaultAddresses;

/** Where one of our listeners listens. */
export function listenAddresses(
  root: Stanza,
  id: ListenerId,
  context: DefaultContext,
): readonly ListenAddress[] {
  const listener = root.child(id);
  if (listener && !listener.isEnabled) return [];
  const sockets = listener?.childrenOf('socket') ?? [];
  if (sockets.length === 0) return [defaultAddresses[id]];
  return sockets
    .filter((socket) => socket.isEnabled)
    .flatMap((socket) => listenAddress(socket, context) ?? []);
}

function listenAddress(socket: Stanza, context: DefaultContext): ListenAddress | undefined {
  const listen = parseListen(socket.label ?? '');
  if (!listen) return undefined;
  if ('path' in listen) {
    return { path: listen.path, ...stanzaFields(socketOptions, socket, context) };
  }
  const { address, family, port } = listen;
  if (address) return { host: formatAddress(address), port };
  return family ? { host: family === 4 ? '0.0.0.0' : '::', port } : { port };
}
