import { type Address, formatAddress, parseAddress } from '../lib/address.ts';

/** The place that a `Listen` stanza names, or at which an MTA accepted a connection. */
export type ListenName =
  | { readonly path: string }
  | {
      /** Absent for any address: of the family, or of both families if that is absent too. */
      readonly address?: Address;
      readonly family?: 4 | 6;
      readonly port: number;
    };

/**
 * Parses `:25`, `*:25`, `[*]:25`, `[::]:25`, `127.0.0.1:25`, `[fd82::1]:587` or a unix path. The
 * port follows the last colon, so `2001:db8::1:25`, the form of macros, is valid too.
 */
export function parseListen(text: string): ListenName | undefined {
  const path = text.startsWith('unix:') ? text.slice(5) : text;
  if (path.startsWith('/')) return { path };
  const colon = text.lastIndexOf(':');
  const digits = text.slice(colon + 1);
  if (colon < 0 || !/^\d{1,5}$/.test(digits) || Number(digits) > 65535) return undefined;
  const port = Number(digits);
  const host = text.slice(0, colon).trim();
  if (host === '' || host === '*') return { port };
  if (host === '[*]') return { family: 6, port };
  const address = parseAddress(host);
  if (!address) return undefined;
  const family = address.length === 4 ? 4 : 6;
  return address.every((byte) => byte === 0) ? { family, port } : { address, family, port };
}

/** The one spelling of a place by which `Listen` stanzas are compared. */
export function formatListen(name: ListenName): string {
  return listenKeys(name)[0] as string;
}

/** The canonical labels of the `Listen` stanzas that match a place, best match first. */
export function listenKeys(name: ListenName): readonly string[] {
  if ('path' in name) return [name.path];
  const { address, family, port } = name;
  const keys = [`*:${port}`];
  if (family) keys.unshift(family === 4 ? `0.0.0.0:${port}` : `[::]:${port}`);
  if (address) {
    const host = formatAddress(address);
    keys.unshift(family === 4 ? `${host}:${port}` : `[${host}]:${port}`);
  }
  return keys;
}
