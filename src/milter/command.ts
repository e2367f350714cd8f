import { isIPv4, isIPv6 } from 'node:net';
import type { ConnectInfo, EnvelopeAddress, Header } from './filter.ts';
import { ProtocolError } from './protocol-error.ts';

/** Payloads of the MTA's commands, decoded. Whatever libmilter refuses throws a ProtocolError. */

/** SMFIC_CONNECT: host NUL family [port address NUL]. */
export function decodeConnect(payload: Buffer): ConnectInfo {
  const end = payload.indexOf(0);
  if (end < 0 || end + 1 >= payload.length) {
    throw new ProtocolError('milter: connect: no family: expected host, NUL, family');
  }
  const hostname = payload.toString('latin1', 0, end);
  const letter = payload.toString('latin1', end + 1, end + 2);
  if (letter === 'U') return { hostname, family: 'unknown' };
  const family = FAMILIES[letter];
  if (family === undefined) {
    throw new ProtocolError(
      `milter: connect: family ${JSON.stringify(letter)}: expected 4, 6, L or U`,
    );
  }
  const at = end + 4;
  if (at >= payload.length || payload[payload.length - 1] !== 0) {
    throw new ProtocolError('milter: connect: expected port, address, NUL after the family');
  }
  const port = payload.readUInt16BE(end + 2);
  const text = payload.toString('latin1', at, payload.indexOf(0, at));
  // Postfix knows no address after XCLIENT ADDR=[UNAVAILABLE], and calls that family 4 nevertheless.
  if (text === 'unknown' && family !== 'unix') return { hostname, family: 'unknown' };
  const address = family === 'inet6' ? text.replace(/^IPv6:/i, '') : text;
  if ((family === 'inet' && !isIPv4(address)) || (family === 'inet6' && !isIPv6(address))) {
    throw new ProtocolError(
      `milter: connect: address ${JSON.stringify(text)}: expected one of family ${letter}`,
    );
  }
  return { hostname, family, address, port };
}

const FAMILIES: Readonly<Record<string, 'inet' | 'inet6' | 'unix'>> = {
  4: 'inet',
  6: 'inet6',
  L: 'unix',
};

/** SMFIC_HELO, SMFIC_UNKNOWN: text NUL. */
export function decodeText(payload: Buffer, place: string): string {
  const end = payload.indexOf(0);
  if (end < 0) throw new ProtocolError(`milter: ${place}: expected a text that ends with NUL`);
  return payload.toString('latin1', 0, end);
}

/** SMFIC_MAIL, SMFIC_RCPT: address NUL, then arguments, each with a NUL. What follows the last NUL is dropped. */
export function decodeEnvelope(payload: Buffer, place: string): EnvelopeAddress {
  const [address, ...args] = payload.toString('latin1').split('\0').slice(0, -1);
  if (address === undefined) throw new ProtocolError(`milter: ${place}: expected address, NUL`);
  return {
    address: address.startsWith('<') && address.endsWith('>') ? address.slice(1, -1) : address,
    args,
  };
}

/** SMFIC_HEADER: name NUL value NUL; `verbatim` where SMFIP_HDR_LEADSPC was agreed. */
export function decodeHeader(payload: Buffer, verbatim: boolean): Header {
  const end = payload.indexOf(0);
  if (end < 1 || end === payload.length - 1 || payload[payload.length - 1] !== 0) {
    throw new ProtocolError('milter: header: expected name, NUL, value, NUL');
  }
  const name = payload.toString('latin1', 0, end);
  const sent = payload.toString('latin1', end + 1, payload.length - 1);
  if (!verbatim) return { name, value: sent, raw: ` ${sent}` };
  return { name, value: sent.startsWith(' ') ? sent.slice(1) : sent, raw: sent };
}
