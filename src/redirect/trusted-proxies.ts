import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Decides whose X-Forwarded-For and X-Forwarded-Host count.
 * @param proxies addresses, networks in CIDR notation, or `unix` for whoever connects by a unix socket
 * @throws TypeError for an entry that is none of these
 */
export function trustedProxies(
  proxies: readonly string[],
): (address: string | undefined) => boolean {
  const unix = proxies.includes('unix');
  const networks = proxies.filter((proxy) => proxy !== 'unix').map(parseNetwork);
  return (address) => {
    if (address === undefined || address === '') return unix;
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(
      ([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits),
    );
  };
}

function parseNetwork(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const address = ipaddr.process(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new TypeError(
      `trusted_proxies: "${text}" is not an address, a network such as 10.0.0.0/8, or "unix"`,
    );
  }
}

/**
 * The client's address as it is to be recorded. X-Forwarded-For may hold anything, also behind a trusted proxy.
 * @returns undefined for what is no address; an IPv4-mapped one as IPv4, without a port
 */
export function clientAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIP(text) === 4) return text;
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  if (isIP(bare) === 0) return undefined;
  return /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? bare;
}
