import { domainToASCII } from 'node:url';
import { formatAddress, parseAddress } from './address.ts';

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Reads a tracking domain: a host name, or an IP address (IPv6 in brackets), with or without a port.
 * @returns it in lower case, as browsers will send it in Host; undefined for anything else
 */
export function parseTrackingDomain(text: string): string | undefined {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text.trim().toLowerCase());
  const [, host = '', port] = parts ?? [];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return undefined;
  const name = host.startsWith('[') ? canonicalIPv6(host) : hostName(host);
  if (name === undefined) return undefined;
  return port === undefined ? name : `${name}:${Number(port)}`;
}

function hostName(text: string): string | undefined {
  const host = text.replace(/\.$/, '');
  return host.length <= 253 && host.split('.').every((part) => label.test(part)) ? host : undefined;
}

function canonicalIPv6(bracketed: string): string | undefined {
  const address = parseAddress(bracketed);
  return address?.length === 16 ? `[${formatAddress(address)}]` : undefined;
}

const notAscii = /[\u0080-\uffff]/;
/** The conversion reads all else of ASCII as the syntax of a URL. */
const ofNames = /^[\w.\-\u0080-\uffff]+$/;

/**
 * A domain as DNS has it: internationalised labels as `xn--…`, in lower case, without a dot at the end. SMTPUTF8 mail
 * may bring either spelling. What cannot be converted stays as it is.
 */
export function asciiDomain(domain: string): string {
  const ascii = notAscii.test(domain) && ofNames.test(domain) ? domainToASCII(domain) : '';
  return (ascii || domain.toLowerCase()).replace(/\.$/, '');
}
