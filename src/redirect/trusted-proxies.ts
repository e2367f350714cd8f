import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import {
  formatAddress,
  isWithin,
  type Network,
  parseAddress,
  parseNetwork,
} from '../lib/address.ts';

/** The client of a request, and the host it asked. */
export interface Client {
  /** The Host as it was sent; empty where it is missing. */
  readonly host: string;
  /** The address; undefined where there is none, as with a unix socket. */
  readonly ip: string | undefined;
}

/**
 * Reads the client of a request: the peer itself, or the client that trusted proxies name in
 * X-Forwarded-For and X-Forwarded-Host.
 * @param proxies addresses, networks in CIDR notation, or `unix` for all peers of unix sockets
 * @throws TypeError for an entry that is none of these
 */
export function clientReader(proxies: readonly string[]): (request: IncomingMessage) => Client {
  const trusts = trustTest(proxies);
  if (proxies.length === 0) {
    return ({ headers, socket }) => ({
      host: headers.host ?? '',
      ip: clientAddress(socket.remoteAddress),
    });
  }
  return (request) => {
    const { headers, socket } = request;
    const forwarded = headers['x-forwarded-host'];
    return {
      host:
        forwarded && trusts(socket.remoteAddress)
          ? lastOf(String(forwarded))
          : (headers.host ?? ''),
      ip: clientAddress(proxyAddr(request, trusts)),
    };
  };
}

/** The last entry of a list: each proxy appends one, and the last proxy is trusted. */
function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}

function trustTest(proxies: readonly string[]): (address: string | undefined) => boolean {
  const unix = proxies.includes('unix');
  const networks = proxies.filter((proxy) => proxy !== 'unix').map(networkOf);
  return (text) => {
    if (text === undefined || text === '') return unix;
    const address = parseAddress(text);
    return address !== undefined && networks.some((network) => isWithin(address, network));
  };
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network) return network;
  throw new TypeError(
    `trusted_proxies: "${text}" is not an address, a network such as 10.0.0.0/8, or "unix"`,
  );
}

/**
 * The client's address as it is recorded: without a port, an IPv4-mapped one as IPv4.
 * X-Forwarded-For may hold anything, even behind a trusted proxy.
 * @returns undefined for anything but an address
 */
function clientAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIP(text) === 4) return text;
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  if (isIP(bare) === 0) return undefined;
  const address = parseAddress(bare);
  return address?.length === 4 ? formatAddress(address) : bare;
}
