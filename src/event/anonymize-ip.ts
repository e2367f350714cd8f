import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

const IPV4_BITS = 24;
const IPV6_BITS = 48;

/** Cuts an address to its network: /24 of IPv4, /48 of IPv6 (what one customer gets), the rest zero. */
export function anonymizeIp(address: string): string | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4'
    ? ipaddr.IPv4.networkAddressFromCIDR(`${parsed}/${IPV4_BITS}`).toString()
    : ipaddr.IPv6.networkAddressFromCIDR(`${parsed}/${IPV6_BITS}`).toString();
}

/** What of an address tells clients apart: all of IPv4, /64 of IPv6, within which one client has any number of addresses. */
export function clientOf(address: string): string {
  if (!isIPv6(address)) return address;
  // Node.js takes more names of zones than the parser does.
  const parsed = ipaddr.process(address.replace(/%.*/, ''));
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}
