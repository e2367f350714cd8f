import { domainToASCII } from 'node:url';
import { formatAddress, parseAddress } from './address.ts';

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Parses a tracking domain: a host name or an IP address (IPv6 in brackets), optionally with a
 * port.
 * @returns the domain in lower case, as browsers send it in Host; undefined if it is invalid
 */
export function parseTrackingDomain(text: string): string | undefined {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text.trim().toLowerCase());
  const [, host = '', port] = parts ?? [];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return undefined;
  const name = host.startsWith('[') ? canonicalIPv6(host) : validName(host);
  if (name === undefined) return undefined;
  return port === undefined ? name : `${name}:${Number(port)}`;
}

function validName(text: string): string | undefined {
  const host = text.replace(/\.$/, '');
  return host.length <= 253 && host.split('.').every((part) => label.test(part)) ? host : undefined;
}

function canonicalIPv6(bracketed: string): string | undefined {
  const address = parseAddress(bracketed);
  return address?.length === 16 ? `[${formatAddress(address)}]` : undefined;
}

const notAscii = /[\u0080-\uffff]/;
/** Names that are safe to convert: other ASCII characters are URL syntax to the conversion. */
const ofNames = /^[\w.\-\u0080-\uffff]+$/;

/**
 * A domain as in DNS: internationalised labels as `xn--…`, in lower case, without a trailing dot.
 * SMTPUTF8 mail may have either spelling. A name that cannot be converted is only put into lower
 * case.
 */
export function asciiDomain(domain: string): string {
  const ascii = notAscii.test(domain) && ofNames.test(domain) ? domainToASCII(domain) : '';
  return (ascii || domain.toLowerCase()).replace(/\.$/, '');
}

/** The name in a Host header or a `tracking_domain`: without port and final dot, in lower case. */
export function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}
