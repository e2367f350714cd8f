import { type AddressInfo, createServer, Server, type Socket } from 'node:net';
import type { MilterEvent } from './event.ts';
import type { Connection, Filter } from './filter.ts';
import { demandOf } from './negotiate.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type MilterServerOptions } from './options.ts';
import { ServerConnection } from './server-connection.ts';
import { listenUnix, type UnixSocketAddress } from './unix-socket.ts';

/** Where to listen: TCP, a unix socket, or a listening socket that somebody else opened (systemd's LISTEN_FDS). */
export type ListenAddress =
  | { readonly host?: string; readonly port: number }
  | UnixSocketAddress
  | { readonly fd: number };

/** A connection that `close` had to end in the middle of an SMTP session. */
export interface CutOff {
  readonly connection: Connection;
  readonly queueId: string | undefined;
  /** Whether a message was under way. */
  readonly inMessage: boolean;
}

export interface MilterServer {
  /**
   * Listens there as well. Resolves with the address, e.g. to learn the port. A `net.Server` is taken over, be it
   * listening or about to; its connections are served from the moment of the call.
   */
  listen(where: ListenAddress | Server): Promise<AddressInfo | string | null>;
  /** Serves a socket that was accepted elsewhere. */
  serve(socket: Socket): void;
  /** Connections open, or with a hook still running. */
  readonly connections: number;
  /**
   * Stops: no new connections; SMTP sessions under way go on to their end (Q or EOF), but no longer than `deadline` milliseconds
   * (default 30 000; 0 is at once; Infinity sets none). A further call can only shorten what is left. Resolves with those
   * that were cut off.
   */
  close(options?: { readonly deadline?: number }): Promise<readonly CutOff[]>;
}

/** A milter server for that filter; does nothing before `listen`. Throws on a filter that could not be negotiated. */
export function createMilterServer<State>(
  filter: Filter<State>,
  options: MilterServerOptions = {},
): MilterServer {
  return new Milter(filter, options);
}

class Milter<State> implements MilterServer {
  readonly #filter: Filter<State>;
  readonly #demand;
  readonly #options;
  readonly #event: (event: MilterEvent) => void;
  readonly #listeners = new Set<Server>();
  readonly #open = new Set<ServerConnection<State>>();
  #closing: Promise<readonly CutOff[]> | undefined;
  /** Ends the wait for open connections. */
  #allGone: (() => void) | undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(filter: Filter<State>, options: MilterServerOptions) {
    this.#filter = filter;
    this.#demand = demandOf(filter);
    const { onEvent } = options;
    this.#event = (event) => {
      try {
        onEvent?.(event);
      } catch (error) {
        // Mail is not to suffer from a log that cannot be written.
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    };
    const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.#options = {
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      timeouts,
      progress: timeouts.progress,
      onException: options.onException ?? ('tempfail' as const),
      event: this.#event,
    };
  }

  get connections(): number {
    return this.#open.size;
  }

  async listen(where: ListenAddress | Server): Promise<AddressInfo | string | null> {
    if (this.#closing !== undefined) throw new Error('milter: listen: the server is closed');
    const listener = where instanceof Server ? where : createServer();
    listener.on('connection', (socket) => this.serve(socket));
    if (where instanceof Server) {
      // Taken over as it is.
    } else if ('path' in where) {
      await listenUnix(listener, where);
    } else {
      await new Promise<void>((resolve, reject) => {
        listener.once('error', reject);
        listener.listen(where, () => {
          listener.off('error', reject);
          resolve();
        });
      });
    }
    listener.on('error', (error) => this.#event({ type: 'listener-error', error }));
    this.#listeners.add(listener);
    return listener.address();
  }

  serve(socket: Socket): void {
    const { limits } = this.#options;
    if (this.#closing !== undefined || this.#open.size >= limits.connections) {
      socket.destroy();
      if (this.#closing === undefined) {
        this.#event({ type: 'refused', maximum: limits.connections });
      }
      return;
    }
    const connection: ServerConnection<State> = new ServerConnection(
      socket,
      this.#filter,
      this.#demand,
      {
        ...this.#options,
        gone: () => {
          this.#open.delete(connection);
          if (this.#open.size === 0) this.#allGone?.();
        },
      },
    );
    this.#open.add(connection);
  }

  close({ deadline = 30_000 } = {}): Promise<readonly CutOff[]> {
    this.#closing ??= this.#close();
    if (Number.isFinite(deadline) && this.#open.size > 0) {
      const timer = setTimeout(() => this.#allGone?.(), deadline);
      this.#timers.push(timer);
    }
    return this.#closing;
  }

  async #close(): Promise<readonly CutOff[]> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#open) connection.stop();
    if (this.#open.size === 0) return [];
    await new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
    for (const timer of this.#timers) clearTimeout(timer);
    const cutOff: CutOff[] = [];
    for (const connection of this.#open) {
      const { session } = connection;
      cutOff.push({
        connection: session.connection,
        queueId: session.queueId,
        inMessage: session.inMessage,
      });
      connection.destroy();
    }
    return cutOff;
  }
}
