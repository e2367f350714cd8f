import { formatAddress } from '../lib/address.ts';
import { formatListen, type ListenName, listenKeys, parseListen } from '../scope/listen-address.ts';
import type { Origin } from '../scope/option-value.ts';
import { DEFAULT_HOST, defaultPorts, socketOptions } from './listener-options.ts';
import type { DefaultContext, Fields } from './option.ts';
import { formatOrigin, type Problems } from './problem.ts';
import { type Stanza, stanzaFields } from './stanza.ts';
import { definitionOf } from './stanzas.ts';

/** The address at which a server listens. */
export type ListenAddress =
  /**
   * `host` is an IP address, unbracketed; `::` is IPv6 only, absent is every address of both
   * families.
   */
  | { readonly host?: string; readonly port: number }
  | ({ readonly path: string } & Fields<typeof socketOptions>);

type ListenerId = keyof typeof defaultPorts;

/** Whether a listener is off without its stanza. */
const isOffByDefault = (id: ListenerId) => id === 'web_listener';

/** The addresses of one of clickmilter's own listeners. */
export function listenAddresses(
  root: Stanza,
  id: ListenerId,
  context: DefaultContext,
): readonly ListenAddress[] {
  const listener = root.child(id);
  if (listener ? !listener.isEnabled : isOffByDefault(id)) return [];
  const sockets = listener?.childrenOf('socket') ?? [];
  if (sockets.length === 0) return [{ host: DEFAULT_HOST, port: defaultPorts[id] }];
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

/** The kernel's limit (sun_path). Node silently truncates a longer path. */
const MAX_PATH_BYTES = 107;

const listenerIds = Object.keys(defaultPorts) as ListenerId[];

/** A socket of one of clickmilter's own listeners. */
interface Socket {
  readonly listener: string;
  readonly listen: ListenName;
  /** Absent for the default address. */
  readonly origin?: Origin;
}

/** Checks that the service can open all of its sockets. */
export function checkSockets(root: Stanza, problems: Problems): void {
  const stanzas = listenerIds.flatMap((id) => root.child(id) ?? []);
  for (const socket of stanzas.flatMap(enabledSockets)) checkSocket(socket, problems);
  const sockets = listenerIds.flatMap((id) => socketsOf(root, id));
  checkOverlaps(sockets, problems);

  for (const stanza of stanzas) {
    if (stanza.isEnabled && hasSockets(stanza) && enabledSockets(stanza).length === 0) {
      problems.warning(
        stanza.origin,
        `every Listen in ${stanza.title} is disabled: it listens nowhere`,
      );
    }
  }
  const last = stanzas.at(-1);
  if (last && sockets.length === 0 && !root.child('events')?.settings.has('webhook')) {
    problems.warning(
      last.origin,
      'no listener is enabled and no webhook is set: the service has nothing to do',
    );
  }
}

function socketsOf(root: Stanza, id: ListenerId): readonly Socket[] {
  const stanza = root.child(id);
  const listener = definitionOf(id).name;
  if (stanza && hasSockets(stanza)) {
    return enabledSockets(stanza).flatMap(({ label = '', origin }) => {
      const listen = parseListen(label);
      return listen ? { listener, listen, origin } : [];
    });
  }
  if (stanza === undefined && isOffByDefault(id)) return [];
  const listen = parseListen(`${DEFAULT_HOST}:${defaultPorts[id]}`);
  return listen && stanza?.isEnabled !== false ? [{ listener, listen }] : [];
}

function hasSockets(listener: Stanza): boolean {
  return listener.childrenOf('socket').length > 0;
}

function enabledSockets(listener: Stanza): readonly Stanza[] {
  return listener.isEnabled
    ? listener.childrenOf('socket').filter((socket) => socket.isEnabled)
    : [];
}

function checkSocket({ label = '', title, origin, settings }: Stanza, problems: Problems): void {
  const listen = parseListen(label);
  if (listen === undefined) return;
  if ('path' in listen) {
    const bytes = Buffer.byteLength(listen.path);
    if (listen.path.includes('\0')) {
      problems.error(origin, 'the path of a unix socket must not contain NUL');
    } else if (bytes > MAX_PATH_BYTES) {
      problems.error(
        origin,
        `the path of a unix socket must have at most ${MAX_PATH_BYTES} bytes, not ${bytes}`,
      );
    }
    return;
  }
  if (label.includes('%')) {
    problems.error(
      origin,
      `${title} names an interface: use an address without one, or "[::]:${listen.port}"`,
    );
  }
  for (const [option, setting] of settings) {
    if (!option.startsWith('file_')) continue;
    problems.warning(setting.origin, `${option} has no effect: ${label} is not a unix socket`);
  }
}

/** Two sockets cannot share an address; one that listens on all addresses takes each of them. */
function checkOverlaps(sockets: readonly Socket[], problems: Problems): void {
  const taken = new Map<string, Socket>();
  /** Sockets by the wildcard address that includes theirs. */
  const within = new Map<string, Socket>();
  const isWritten = ({ origin }: Socket) => Number(origin !== undefined);
  const defaultsFirst = [...sockets].sort((a, b) => isWritten(a) - isWritten(b));
  for (const socket of defaultsFirst) {
    const { listen, origin } = socket;
    if ('port' in listen && listen.port === 0) continue;
    const place = formatListen(listen);
    const keys = listenKeys(listen);
    const other = keys.map((key) => taken.get(key)).find(Boolean) ?? within.get(place);
    if (other && origin) {
      const message = `${place} is taken by ${holder(other, place)}`;
      if (isImpossible(socket, other)) problems.error(origin, message);
      else problems.warning(origin, `${message}: one service cannot serve both`);
    }
    taken.set(place, socket);
    for (const key of keys) within.set(key, socket);
  }
}

/**
 * Whether no configuration of roles can serve both. Two different listeners may belong to hosts
 * with different roles.
 */
function isImpossible(one: Socket, other: Socket): boolean {
  if (other.origin === undefined) return false;
  return one.listener === other.listener || formatListen(one.listen) === formatListen(other.listen);
}

function holder({ listener, listen, origin }: Socket, place: string): string {
  const own = formatListen(listen);
  if (!origin) return `${listener}, which listens at ${own} because it has no Listen`;
  const at = `${listener} at ${formatOrigin(origin)}`;
  return own === place ? at : `${at}, which listens at ${own}`;
}
