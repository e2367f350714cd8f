import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** A connection on which something else came than a request of HTTP. */
export interface NotHttp {
  /** What came, and what would be right; one text for each kind, and nothing of what came. */
  readonly what: string;
  /** The mistake of whoever set up the proxy in front, not of a stranger. */
  readonly ofProxy: boolean;
  readonly peer: string | undefined;
}

const PROXY_PROTOCOL =
  'the PROXY protocol is not supported: let the load balancer speak HTTP and send X-Forwarded-For, and name it in trusted_proxies';

/** What connections begin with that are not HTTP/1. */
const BEGINNINGS: readonly (readonly [beginning: string, what: string, ofProxy?: true])[] = [
  ['PROXY ', PROXY_PROTOCOL, true],
  ['\r\n\r\n\0\r\nQUIT\n', PROXY_PROTOCOL, true],
  ['PRI * HTTP/2', 'HTTP/2 is not supported: expected HTTP/1.1', true],
  ['\x16\x03', 'TLS came to a port without TLS: expected HTTP'],
  ['', 'no HTTP request came'],
];

/** The errors of Node's HTTP parser for what does not even begin as a request. */
const NO_REQUEST = new Set(['HPE_INVALID_METHOD', 'HPE_PAUSED_H2_UPGRADE']);

/** The errors of TLS that a peer causes by speaking something else. */
const NO_TLS: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'HTTP came to a port with TLS: expected https',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'no TLS came to a port with TLS; the PROXY protocol, if it was that, is not supported',
};

export type ConnectionError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/** @returns undefined for an error that says nothing of that kind, such as a defective request or a broken connection */
export function notHttp(
  { code = '', rawPacket }: ConnectionError,
  peer: string | undefined,
): NotHttp | undefined {
  const tls = NO_TLS[code];
  if (tls !== undefined) return { what: tls, ofProxy: false, peer };
  if (!NO_REQUEST.has(code)) return undefined;
  const begins = rawPacket?.toString('latin1', 0, 16) ?? '';
  const [, what = '', ofProxy = false] = BEGINNINGS.find(([one]) => begins.startsWith(one)) ?? [];
  return { what, ofProxy, peer };
}

/**
 * Ends a connection whose request cannot be read.
 * @param headers beside the usual, each with its line break
 * @param body a line that says why
 */
export function refuse(socket: Duplex, status: number, headers = '', body = ''): void {
  const text = body && `${body}\n`;
  if (socket.writable) {
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}Connection: close\r\n` +
        `${text && 'Content-Type: text/plain; charset=utf-8\r\n'}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  }
  socket.once('finish', () => socket.destroy());
}
