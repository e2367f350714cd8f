import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ListenOptions, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import type { Redirect } from './redirect.ts';

export interface ServerOptions {
  /** Bytes of request line and headers together; default 16384. */
  readonly maxHeaderSize?: number;
  /** Default 10,000 for each address listened on. */
  readonly maxConnections?: number;
  /** From the first byte of a request to its last; default 10,000 ms. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept; default 75,000 ms, longer than the proxies in front keep theirs. */
  readonly keepAliveTimeoutMs?: number;
  /** Certificate and key (PEM) where HTTPS is served. */
  readonly tls?: SecureContextOptions;
  /** Told of requests that were answered before they were looked at: 400, 405, 408, 431. Must not throw. */
  readonly onRefused?: (status: number) => void;
}

/** An address, a unix path, an inherited file descriptor, or whatever else has a listening handle. */
export type ListenTarget = ListenOptions | { readonly fd: number } | NetServer;

/** HTTP servers, one an address, that all answer alike. */
export class RedirectServer {
  readonly #redirect: Redirect;
  readonly #options: ServerOptions;
  readonly #servers = new Set<Server>();
  #tls: SecureContextOptions | undefined;
  #closing = false;

  constructor(redirect: Redirect, options: ServerOptions = {}) {
    this.#redirect = redirect;
    this.#options = options;
    this.#tls = options.tls;
  }

  /** May be called for several addresses. @returns the server, once it accepts connections */
  async listen(target: ListenTarget): Promise<Server> {
    await this.#redirect.ready();
    const server = this.#createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(target, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#servers.add(server);
    return server;
  }

  /** Certificate and key for new connections; those that are open go on. */
  setTls(tls: SecureContextOptions): void {
    this.#tls = tls;
    for (const server of this.#servers) {
      if ('setSecureContext' in server) (server as TlsServer).setSecureContext(tls);
    }
  }

  /**
   * Accepts nobody any more, and lets requests that have begun be answered until the deadline.
   * @returns how many connections were cut off
   */
  async close(deadlineMs: number): Promise<number> {
    this.#closing = true;
    const cut = await Promise.all(
      [...this.#servers].map((server) => closeServer(server, deadlineMs)),
    );
    this.#servers.clear();
    await this.#redirect.close();
    return cut.reduce((sum, count) => sum + count, 0);
  }

  #createServer(): Server {
    const settings = this.#options;
    const requestTimeout = settings.requestTimeoutMs ?? 10_000;
    const options = {
      maxHeaderSize: settings.maxHeaderSize ?? 16_384,
      requestTimeout,
      headersTimeout: requestTimeout,
      handshakeTimeout: requestTimeout,
      keepAliveTimeout: settings.keepAliveTimeoutMs ?? 75_000,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
      noDelay: true,
      // Seen to below, where it is told.
      requireHostHeader: false,
    };
    const listener: RequestListener = (request, response) => {
      if (!hasRightHosts(request)) {
        settings.onRefused?.(400);
        response.writeHead(400, { connection: 'close', 'content-length': '0' }).end();
        return;
      }
      if (this.#closing) response.setHeader('connection', 'close');
      this.#redirect.listener(request, response);
    };
    const server = this.#tls
      ? createTlsServer({ ...options, ...this.#tls }, listener)
      : createServer(options, listener);
    server.maxConnections = settings.maxConnections ?? 10_000;
    // A client that reads nothing, or sends a byte now and then in the middle of a request, must not stay for ever.
    server.setTimeout(Math.max(options.keepAliveTimeout, requestTimeout) + 1000);
    server.on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
      const status = refusalOf(code);
      if (status === undefined) {
        // The connection broke, or never got through its TLS handshake: there is nobody to answer.
        socket.destroy();
        return;
      }
      settings.onRefused?.(status);
      refuse(socket, status);
    });
    // The one method that Node does not hand on: without this the connection would end without an answer.
    server.on('connect', (_request, socket) => {
      settings.onRefused?.(405);
      refuse(socket, 405, 'Allow: GET, HEAD\r\n');
    });
    return server;
  }
}

type TlsServer = ReturnType<typeof createTlsServer>;

/**
 * RFC 9112 § 3.2: a request of HTTP/1.1 without Host is to be refused, and any with several, since whoever stands in
 * front of us may have looked at the other one.
 */
function hasRightHosts({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0');
}

/** The status for an error of Node's HTTP parser. */
function refusalOf(code: string): number | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code.startsWith('HPE_') ? 400 : undefined;
}

/** Ends a connection whose request cannot be read. @param headers beside the usual, each with its line break */
function refuse(socket: Duplex, status: number, headers = ''): void {
  if (socket.writable) {
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    );
  }
  socket.once('finish', () => socket.destroy());
}

async function closeServer(server: Server, deadlineMs: number): Promise<number> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Those that are busy become idle, and would be kept for as long as clients like.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, deadlineMs, 'late');
  });
  const outcome = await Promise.race([closed, late]);
  clearTimeout(timer);
  clearInterval(idle);
  if (outcome !== 'late') return 0;
  const cut = await new Promise<number>((resolve) =>
    server.getConnections((_error, count) => resolve(count ?? 0)),
  );
  server.closeAllConnections();
  await closed;
  return cut;
}
