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
  /** As it was sent; empty where it is missing. */
  readonly host: string;
  /** Absent where it is no address, as with a unix socket. */
  readonly ip: string | undefined;
}

/**
 * Reads the client of a request: the peer itself, or what the trusted proxies between say by X-Forwarded-For and
 * X-Forwarded-Host.
 * @param proxies addresses, networks in CIDR notation, or `unix` for all peers of unix sockets
 * @throws TypeError for an entry that is none of these
 */
export function clientReader(proxies: readonly string[]): (request: IncomingMessage) => Client {
  const trusts = trustTest(proxies);
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

/** Where several proxies each added one, the last entry is that of the proxy that is trusted. */
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
 * The client's address as it is recorded. X-Forwarded-For may hold anything, also behind a trusted proxy.
 * @returns undefined for what is no address; an IPv4-mapped one as IPv4, without a port
 */
function clientAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIP(text) === 4) return text;
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  if (isIP(bare) === 0) return undefined;
  const address = parseAddress(bare);
  return address?.length === 4 ? formatAddress(address) : bare;
}
