import type { AddressInfo, Server, Socket } from 'node:net';
import type { Connection, Filter } from './filter.ts';
import type { MilterServerOptions } from './options.ts';

/** Where to listen: TCP, a unix socket, or a listening socket that somebody else opened (systemd's LISTEN_FDS). */
export type ListenAddress =
  | { readonly host?: string; readonly port: number }
  | {
      readonly path: string;
      /** Permissions of the socket file. Default 0o660. */
      readonly mode?: number;
      readonly owner?: { readonly uid: number; readonly gid: number };
    }
  | { readonly fd: number };

/** A connection that `close` had to end in the middle of an SMTP session. */
export interface CutOff {
  readonly connection: Connection;
  readonly queueId: string | undefined;
  /** Whether a message was under way. */
  readonly inMessage: boolean;
}

export interface MilterServer {
  /** Listens there as well; a listening `net.Server` is taken over. Resolves with the address, e.g. to learn the port. */
  listen(where: ListenAddress | Server): Promise<AddressInfo | string | null>;
  /** Serves a socket that was accepted elsewhere. */
  serve(socket: Socket): void;
  /** Connections open, or with a hook still running. */
  readonly connections: number;
  /**
   * Stops: no new connections; SMTP sessions under way go on to their end (Q or EOF), but no longer than `deadline` milliseconds
   * (default 30 000; 0 is at once). Resolves, when no connection is left, with those that were cut off.
   */
  close(options?: { readonly deadline?: number }): Promise<readonly CutOff[]>;
}

/** A milter server for that filter; does nothing before `listen`. Throws on a filter that could not be negotiated. */
export declare function createMilterServer<State>(
  filter: Filter<State>,
  options?: MilterServerOptions,
): MilterServer;
