import { formatAddress, maskAddress, parseAddress } from '../lib/address.ts';

const IPV4_BITS = 24;
const IPV6_BITS = 48;
/** Within a /64, one client has any number of addresses. */
const IPV6_CLIENT_BITS = 64;

/** Cuts an address to its network: /24 of IPv4, /48 of IPv6 (what one customer gets), the rest zero. */
export function anonymizeIp(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  return formatAddress(maskAddress(address, address.length === 4 ? IPV4_BITS : IPV6_BITS));
}

/** The part of an address that tells clients apart: all of IPv4, /64 of IPv6. */
export function clientOf(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return text;
  return formatAddress(address.length === 4 ? address : maskAddress(address, IPV6_CLIENT_BITS));
}
