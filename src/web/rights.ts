import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from 'proxy-addr';
import { isLoopback, parseAddress } from '../lib/address.ts';

/** The rights of a request. */
export interface Rights {
  readonly look: boolean;
  /** Whether it may block, unblock and retarget links. */
  readonly change: boolean;
}

const NONE: Rights = { look: false, change: false };

/** Headers by which a proxy says that a request is not its own. */
const FORWARDED = /^(?:x-forwarded-.*|forwarded|x-real-ip|via)$/;

/** Connections to unix sockets; a connection that broke off looks the same by itself. */
const toUnixSockets = new WeakSet<Socket>();

/** Remembers which connections of a server come in at a unix socket. */
export function observeConnections(server: Server): void {
  server.on('connection', (socket: Socket) => {
    const address = server.address();
    if (address === null || typeof address === 'string') toUnixSockets.add(socket);
  });
}

/**
 * The rights of a request: with a login, everything. Without one, a connection to a unix socket may
 * too, since the permissions of the socket say who connects; one from this host may look. A request
 * that a proxy forwards needs a login, as it comes from somewhere else.
 */
export function rightsOf({ headers, socket }: IncomingMessage, hasLogin: boolean): Rights {
  if (hasLogin) return { look: true, change: true };
  if (Object.keys(headers).some((name) => FORWARDED.test(name))) return NONE;
  if (toUnixSockets.has(socket)) return { look: true, change: true };
  return isLocal(socket.remoteAddress) ? { look: true, change: false } : NONE;
}

/**
 * The address that a request comes from: that of the connection, or what a proxy on this host says.
 * @returns undefined for a unix socket
 */
export function clientOf(request: IncomingMessage): string | undefined {
  const isOfProxy = (text: string | undefined) => text === undefined || isLocal(text);
  const client = proxyAddr(request, isOfProxy);
  if (!isOfProxy(client)) return client;
  const { 'x-real-ip': named = '', forwarded = '' } = request.headers;
  const others = [...[named].flat(), ...clientsIn(forwarded).reverse()];
  return others.find((text) => parseAddress(text) !== undefined && !isLocal(text)) ?? client;
}

/** The addresses of clients in a header `Forwarded` (RFC 7239), without their ports. */
function clientsIn(forwarded: string): string[] {
  const found = forwarded.matchAll(/(?:^|[;,])\s*for="?(?:\[([\da-f:.]+)\]|([\d.]+))/gi);
  return [...found].map(([, ipv6, ipv4]) => ipv6 ?? ipv4 ?? '');
}

/** Whether a text is a loopback address. */
export function isLocal(text = ''): boolean {
  const address = parseAddress(text);
  return address !== undefined && isLoopback(address);
}
