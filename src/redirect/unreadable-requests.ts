import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What came on a connection instead of an HTTP request. */
interface NotHttp {
  /** What came, and what would be right: one text per kind, which repeats no byte that came. */
  readonly what: string;
  /** Whether the proxy in front is set up wrongly; otherwise a stranger connected. */
  readonly ofProxy: boolean;
}

const PROXY_PROTOCOL =
  'the PROXY protocol is not supported: let the load balancer speak HTTP and send X-Forwarded-For, and name it in trusted_proxies';

/** The first bytes of other protocols. */
const BEGINNINGS: readonly (readonly [beginning: string, what: string, ofProxy?: true])[] = [
  ['PROXY ', PROXY_PROTOCOL, true],
  ['\r\n\r\n\0\r\nQUIT\n', PROXY_PROTOCOL, true],
  ['PRI * HTTP/2', 'HTTP/2 is not supported: expected HTTP/1.1', true],
  ['\x16\x03', 'TLS came to a port without TLS: expected HTTP'],
  ['', 'no HTTP request came'],
];

/** Errors of Node's HTTP parser for bytes that do not begin as a request. */
const NO_REQUEST = new Set(['HPE_INVALID_METHOD', 'HPE_PAUSED_H2_UPGRADE']);

/** Errors of TLS for peers that speak another protocol. */
const NO_TLS: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'HTTP came to a port with TLS: expected https',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'no TLS came to a port with TLS; the PROXY protocol, if it was that, is not supported',
};

export type ConnectionError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/**
 * Recognises another protocol.
 * @returns undefined for other errors, such as a defective request or a broken connection
 */
export function notHttp({ code = '', rawPacket }: ConnectionError): NotHttp | undefined {
  const tls = NO_TLS[code];
  if (tls !== undefined) return { what: tls, ofProxy: false };
  if (!NO_REQUEST.has(code)) return undefined;
  const begins = rawPacket?.toString('latin1', 0, 16) ?? '';
  const [, what = '', ofProxy = false] = BEGINNINGS.find(([one]) => begins.startsWith(one)) ?? [];
  return { what, ofProxy };
}

/**
 * Ends a connection whose request cannot be read.
 * @param headers additional headers, each with its line break
 * @param body a line that gives the reason
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

/** A whole head of a request without body, whose target holds bytes beyond ASCII. */
const HEAD = /^((?:GET|HEAD) )([\x21-\xff]+)( HTTP\/1\.[01]\r\n[\s\S]*\r\n\r\n)$/;

/**
 * Some clients send letters and quotation marks behind a link unencoded, but Node's parser takes
 * only ASCII in a request target.
 * @returns the request with these bytes percent-encoded; undefined where another error is the cause
 */
export function withEncodedTarget({ code, rawPacket }: ConnectionError): Buffer | undefined {
  if (code !== 'HPE_INVALID_URL' || rawPacket === undefined) return undefined;
  const [, method = '', target = '', rest = ''] = HEAD.exec(rawPacket.toString('latin1')) ?? [];
  if (target === '' || /\x7f/.test(target)) return undefined;
  const encoded = target.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  return encoded === target ? undefined : Buffer.from(method + encoded + rest, 'latin1');
}

/** A connection that reads one request from memory and writes its answer to the socket. */
export class SecondReading extends Duplex {
  readonly #socket: Socket;
  #request: Buffer | undefined;

  constructor(socket: Socket, request: Buffer) {
    super();
    this.#socket = socket;
    this.#request = request;
    socket.once('close', () => this.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  override _read(): void {
    if (this.#request !== undefined) this.push(this.#request);
    this.#request = undefined;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void) {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
