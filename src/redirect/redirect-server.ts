import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type ListenOptions, Server as NetServer, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { type Logger, logLimited, silent } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import { whenAborted } from '../lib/when-aborted.ts';
import { ALLOW } from './pages.ts';
import {
  type ConnectionError,
  notHttp,
  refuse,
  SecondReading,
  withEncodedTarget,
} from './unreadable-requests.ts';

export interface ServerOptions {
  /** The most connections of each address. */
  readonly maxConnections: number;
  /** Milliseconds from the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  /**
   * Milliseconds that an idle connection is kept; default 75,000, longer than proxies keep theirs.
   */
  readonly keepAliveTimeoutMs?: number;
  /** Certificate and key (PEM) where HTTPS is served. */
  readonly tls?: SecureContextOptions;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/** An address, a unix path, an inherited file descriptor, or a server that listens already. */
export type ListenTarget = ListenOptions | { readonly fd: number } | NetServer;

/** Bytes of request line and headers together. */
const MAX_HEADER_SIZE = 16_384;

/**
 * When closing, milliseconds to wait for the request of a silent connection: it may be on its way.
 */
const SILENT_MS = 1000;

/** The open connections of a server, each with its latest answer. */
type Connections = Map<Socket, ServerResponse | undefined>;

/** The HTTP servers, one per address, with one listener for all requests. */
export class RedirectServer {
  readonly #listener: RequestListener;
  readonly #options: ServerOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  /** The servers with their connections; with TLS the plain connections below are among them. */
  readonly #servers = new Map<Server, Connections>();
  #tls: SecureContextOptions | undefined;
  #closing = false;

  constructor(listener: RequestListener, options: ServerOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#logger = options.logger ?? silent;
    this.#metrics = options.metrics ?? noMetrics;
    this.#tls = options.tls;
  }

  /** Listens on one more address. @returns the server, once it accepts connections */
  async listen(target: ListenTarget): Promise<Server> {
    const connections: Connections = new Map();
    const server = this.#createServer(connections);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(target, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#servers.set(server, connections);
    return server;
  }

  /** Replaces certificate and key for new connections; open ones keep theirs. */
  setTls(tls: SecureContextOptions): void {
    this.#tls = tls;
    for (const server of this.#servers.keys()) {
      if ('setSecureContext' in server) (server as TlsServer).setSecureContext(tls);
    }
  }

  /**
   * Stops accepting connections and lets running requests finish until the deadline, incomplete
   * ones until their timeout.
   * @param hurry when the deadline begins; default: now. Until then an idle connection stays for
   * one more request, which may be on its way, or until its keep-alive ends
   * @returns how many connections were cut off
   */
  async close(deadlineMs: number, hurry: AbortSignal = AbortSignal.abort()): Promise<number> {
    this.#closing = true;
    const cut = await Promise.all(
      [...this.#servers].map(([server, connections]) =>
        closeServer(server, connections, deadlineMs, hurry),
      ),
    );
    this.#servers.clear();
    return cut.reduce((sum, count) => sum + count, 0);
  }

  #createServer(connections: Connections): Server {
    const settings = this.#options;
    const requestTimeout = settings.requestTimeoutMs;
    const options = {
      maxHeaderSize: MAX_HEADER_SIZE,
      requestTimeout,
      headersTimeout: requestTimeout,
      handshakeTimeout: requestTimeout,
      keepAliveTimeout: settings.keepAliveTimeoutMs ?? 75_000,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
      noDelay: true,
      // The listener checks it, so that all answers are counted in one place.
      requireHostHeader: false,
    };
    const listener: RequestListener = (request, response) => {
      const { socket } = request;
      // Closed after the answer before: this one would get none, and be asked for again.
      if (connections.get(socket)?.getHeader('connection') === 'close') return;
      connections.set(socket, response);
      // No body is ever read: closing the connection discards it.
      if (this.#closing || hasBody(request) || socket instanceof SecondReading) {
        response.setHeader('connection', 'close');
      }
      this.#listener(request, response);
    };
    const server = this.#tls
      ? createTlsServer({ ...options, ...this.#tls }, listener)
      : createServer(options, listener);
    server.maxConnections = settings.maxConnections;
    // Ends clients that read nothing, or send a byte now and then in the middle of a request.
    server.setTimeout(Math.max(options.keepAliveTimeout, requestTimeout) + 1000);
    // Without these Node would ask for a body, or answer 417, by itself.
    server.on('checkContinue', listener);
    server.on('checkExpectation', listener);
    /** The connections of which nothing more is read. */
    const ended = new WeakSet<Socket>();
    /** Ends one, once the requests before the one that cannot be read are answered. */
    const afterAnswers = (socket: Socket, end: () => void) => {
      if (ended.has(socket)) return;
      ended.add(socket);
      const last = connections.get(socket);
      if (last === undefined || last.closed) end();
      else last.once('close', end);
    };
    // Node does not give CONNECT to the listener: without this the connection would end without an
    // answer.
    server.on('connect', (_request, socket: Socket) => {
      afterAnswers(socket, () => this.#refuse(socket, 405, `Allow: ${ALLOW}\r\n`));
    });
    const opened = this.#tls ? 'secureConnection' : 'connection';
    for (const event of new Set(['connection', opened])) {
      server.on(event, (socket: Socket) => {
        connections.set(socket, undefined);
        socket.once('close', () => connections.delete(socket));
      });
    }
    server.on('clientError', (error: ConnectionError, socket: Socket) => {
      afterAnswers(socket, () => {
        const encoded = withEncodedTarget(error);
        if (encoded !== undefined) server.emit(opened, new SecondReading(socket, encoded));
        else this.#refuseUnreadable(error, socket);
      });
    });
    return server;
  }

  #refuseUnreadable(error: ConnectionError, socket: Socket): void {
    const other = notHttp(error);
    if (other !== undefined) {
      const message = `redirect: connection closed: ${other.what}`;
      const level = other.ofProxy ? 'warn' : 'info';
      logLimited(this.#logger, level, message, { peer: socket.remoteAddress });
    }
    const status = refusalOf(error.code ?? '');
    if (status !== undefined) this.#refuse(socket, status, '', other?.what);
    // The connection broke, or never got through its TLS handshake: there is nobody to answer.
    else socket.destroy();
  }

  /** Answers a request that the listener never sees: 400, 405, 408, 431. */
  #refuse(socket: Socket, status: number, headers = '', body = ''): void {
    if (socket.writable) this.#metrics.count('redirects_total', { status: String(status) });
    refuse(socket, status, headers, body);
  }
}

type TlsServer = ReturnType<typeof createTlsServer>;

function hasBody({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

/** The status for an error of Node's HTTP parser. */
function refusalOf(code: string): number | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code.startsWith('HPE_') ? 400 : undefined;
}

async function closeServer(
  server: Server,
  connections: Connections,
  deadlineMs: number,
  hurry: AbortSignal,
): Promise<number> {
  // Not the close of node:http, which no longer looks after requests that are never completed.
  const closed = new Promise<void>((resolve) =>
    NetServer.prototype.close.call(server, () => resolve()),
  );
  let idle: NodeJS.Timeout | undefined;
  let silent: NodeJS.Timeout | undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    whenAborted(hurry, () => {
      server.closeIdleConnections();
      // Those that are busy become idle, and would be kept for as long as clients like.
      idle = setInterval(() => server.closeIdleConnections(), 50);
      silent = setTimeout(() => {
        for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
      }, SILENT_MS);
      timer = setTimeout(resolve, deadlineMs, 'late');
    });
  });
  const outcome = await Promise.race([closed, late]);
  clearTimeout(timer);
  clearTimeout(silent);
  clearInterval(idle);
  let cut = 0;
  if (outcome === 'late') {
    cut = await new Promise<number>((resolve) =>
      server.getConnections((_error, count) => resolve(count ?? 0)),
    );
    for (const socket of connections.keys()) socket.destroy();
    await closed;
  }
  server.close(); // only for what node:http itself has to end
  return cut;
}
