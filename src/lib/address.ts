import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * An IP address in network order: 4 bytes, or 16. An IPv4-mapped IPv6 address (::ffff:0:0/96) is
 * its IPv4 address.
 */
export type Address = Uint8Array;

/** A block of addresses: those whose first `length` bits are the address's. */
export interface Network {
  readonly address: Address;
  /** 0 to 32, or to 128. */
  readonly length: number;
}

/**
 * Reads an IP address in any spelling an MTA or a person uses: with brackets, with a zone, and as
 * `IPv6:2001:db8::1`, which is how Postfix writes `{client_addr}`. Octal, hexadecimal and short
 * IPv4 are refused.
 */
export function parseAddress(text: string): Address | undefined {
  // Most clients have one of these, and each click has an address to parse.
  if (isIPv4(text)) return bytesOfIPv4(text);
  let bare = text.trim().replace(/^ipv6:/i, '');
  if (bare.startsWith('[') && bare.endsWith(']')) bare = bare.slice(1, -1).replace(/^ipv6:/i, '');
  if (isIPv4(bare)) return bytesOfIPv4(bare);
  if (!isIPv6(bare)) return undefined;
  // Node.js takes more names of zones than the parser does.
  const address = ipaddr.IPv6.parse(hexadecimal(bare.replace(/%.*/, '')));
  return Uint8Array.from(
    (address.isIPv4MappedAddress() ? address.toIPv4Address() : address).toByteArray(),
  );
}

function bytesOfIPv4(text: string): Address {
  const bytes = new Uint8Array(4);
  let at = 0;
  for (const part of text.split('.')) bytes[at++] = Number(part);
  return bytes;
}

/**
 * Writes the IPv4 notation of the last 32 bits in hexadecimal: the parser takes ::10.0.0.1 for
 * ::ffff:10.0.0.1.
 */
function hexadecimal(address: string): string {
  return address.replace(/\d+\.\d+\.\d+\.\d+$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}

/** Reads `10.0.0.0/8`, or a single address; bits beyond the prefix stay as written. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const written = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(written);
  if (!address) return undefined;
  const bits = address.length * 8;
  if (slash < 0) return { address, length: bits };
  const digits = text.slice(slash + 1).trim();
  if (!/^\d{1,3}$/.test(digits)) return undefined;
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8
  const mapped = address.length === 4 && written.includes(':') ? 96 : 0;
  const length = Number(digits) - mapped;
  return length >= 0 && length <= bits ? { address, length } : undefined;
}

/** The address with every bit beyond the prefix cleared. */
export function maskAddress(address: Address, length: number): Address {
  return address.map((byte, index) => {
    const bits = Math.min(Math.max(length - index * 8, 0), 8);
    return byte & (0xff << (8 - bits));
  });
}

/** Whether an address is in a network. */
export function isWithin(address: Address, network: Network): boolean {
  const { length } = network;
  const masked = maskAddress(network.address, length);
  return (
    address.length === masked.length &&
    maskAddress(address, length).every((byte, index) => byte === masked[index])
  );
}

/** The canonical spelling of an address, unbracketed. */
export function formatAddress(address: Address): string {
  return address.length === 4 ? address.join('.') : ipaddr.fromByteArray([...address]).toString();
}

/** The canonical spelling of a network; a single address is written without its length. */
export function formatNetwork({ address, length }: Network): string {
  const masked = formatAddress(maskAddress(address, length));
  return length === address.length * 8 ? masked : `${masked}/${length}`;
}

/** Whether an address is one of this host alone: 127.0.0.0/8, or ::1. */
export function isLoopback(address: Address): boolean {
  return address.length === 4 ? address[0] === 127 : formatAddress(address) === '::1';
}
