import { type AddressInfo, createServer, Server, type Socket } from 'node:net';
import type { Connection, Filter } from './filter.ts';
import { demandOf } from './negotiate.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type MilterEvent,
  type MilterServerOptions,
} from './options.ts';
import { ServerConnection, type ServerConnectionOptions } from './server-connection.ts';
import { listenUnix, type UnixSocketAddress } from './unix-socket.ts';

/** Where to listen: TCP, a unix socket, or the descriptor of a listening socket (LISTEN_FDS). */
export type ListenAddress =
  | { readonly host?: string; readonly port: number }
  | UnixSocketAddress
  | { readonly fd: number };

/** A connection that `close` had to cut off in the middle of an SMTP session. */
export interface CutOff {
  readonly connection: Connection;
  readonly queueId: string | undefined;
  /** Whether a message was being received. */
  readonly inMessage: boolean;
}

/** A milter server. */
export interface MilterServer {
  /**
   * Starts to listen, in addition to other addresses.
   * @param where an address, or a `net.Server`, listening or not, which the server takes over: its
   *   connections are served from the moment of the call
   * @returns the address of the listener, which has the port if that was 0
   */
  listen(where: ListenAddress | Server): Promise<AddressInfo | string | null>;
  /** Connections that are open, or whose hook is still running. */
  readonly connections: number;
  /**
   * Stops the server. It accepts no new connections, and lets SMTP sessions finish.
   * @param options.deadline milliseconds until the remaining sessions are cut off: 0 cuts them off
   *   at once, Infinity never. Default 30 s. A further call can only shorten it.
   * @returns the sessions that were cut off
   */
  close(options?: { readonly deadline?: number }): Promise<readonly CutOff[]>;
}

/**
 * Creates a milter server, which does nothing before `listen`.
 * @throws RangeError if the filter's macro request cannot be sent
 */
export function createMilterServer<State>(
  filter: Filter<State>,
  options: MilterServerOptions = {},
): MilterServer {
  return new Milter(filter, options);
}

class Milter<State> implements MilterServer {
  readonly #filter: Filter<State>;
  readonly #demand;
  readonly #maximum: number;
  readonly #options: Omit<ServerConnectionOptions, 'onGone'>;
  readonly #event: (event: MilterEvent) => void;
  readonly #listeners = new Set<Server>();
  readonly #open = new Set<ServerConnection<State>>();
  #closing: Promise<readonly CutOff[]> | undefined;
  /** Ends the wait for open connections. */
  #stopWaiting: (() => void) | undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(filter: Filter<State>, options: MilterServerOptions) {
    this.#filter = filter;
    this.#demand = demandOf(filter);
    const { onEvent } = options;
    this.#event = (event) => {
      try {
        onEvent?.(event);
      } catch (error) {
        // A log that cannot be written must not affect mail.
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    };
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#maximum = limits.connections;
    this.#options = {
      limits,
      timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
      onException: options.onException ?? 'tempfail',
      event: this.#event,
    };
  }

  get connections(): number {
    return this.#open.size;
  }

  async listen(where: ListenAddress | Server): Promise<AddressInfo | string | null> {
    if (this.#closing !== undefined) throw new Error('milter: listen: the server is closed');
    const listener = where instanceof Server ? where : createServer();
    listener.on('connection', (socket) => this.#serve(socket));
    if (where instanceof Server) {
      // Its owner makes it listen.
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

  #serve(socket: Socket): void {
    if (this.#closing !== undefined || this.#open.size >= this.#maximum) {
      socket.destroy();
      if (this.#closing === undefined) this.#event({ type: 'refused', maximum: this.#maximum });
      return;
    }
    const onGone = () => {
      this.#open.delete(connection);
      if (this.#open.size === 0) this.#stopWaiting?.();
    };
    const connection: ServerConnection<State> = new ServerConnection(
      socket,
      this.#filter,
      this.#demand,
      { ...this.#options, onGone },
    );
    this.#open.add(connection);
  }

  close({ deadline = 30_000 } = {}): Promise<readonly CutOff[]> {
    this.#closing ??= this.#close();
    if (Number.isFinite(deadline) && this.#open.size > 0) {
      this.#timers.push(setTimeout(() => this.#stopWaiting?.(), deadline));
    }
    return this.#closing;
  }

  async #close(): Promise<readonly CutOff[]> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#open) connection.stop();
    if (this.#open.size === 0) return [];
    await new Promise<void>((resolve) => {
      this.#stopWaiting = resolve;
    });
    for (const timer of this.#timers) clearTimeout(timer);
    const cutOff: CutOff[] = [];
    for (const connection of this.#open) {
      const { place, inMessage } = connection.session;
      cutOff.push({ ...place, inMessage });
      connection.destroy();
    }
    return cutOff;
  }
}
