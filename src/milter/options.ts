import type { Connection } from './filter.ts';

/** Options of `createMilterServer`. */
export interface MilterServerOptions {
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  /** The answer to the MTA if a hook throws. Default `tempfail`. */
  readonly onException?: 'accept' | 'tempfail';
  /** Receives events for logs and metrics. Errors it throws become process warnings. */
  readonly onEvent?: (event: MilterEvent) => void;
}

/** Bounds on the memory that MTAs can use. A message that exceeds one passes unmodified. */
export interface Limits {
  /**
   * Connections at the same time. The server closes further ones at once, and the MTA takes its
   * default action. Default 1000.
   */
  readonly connections: number;
  /** Header fields per message. Default 2000. */
  readonly headerCount: number;
  /** Bytes of all header fields of a message, names and values. Default 1 MiB. */
  readonly headerBytes: number;
  /** Recipients per message, of up to 1000 bytes on average. Default 50 000. */
  readonly recipients: number;
  /** Bytes of the body. Default 64 MiB. */
  readonly bodyBytes: number;
}

/** A limit on one message. */
export type MessageLimit = Exclude<keyof Limits, 'connections'>;

/** Times in milliseconds. */
export interface Timeouts {
  /** From accepting a connection to a complete SMFIC_OPTNEG. Default 30 s. */
  readonly negotiation: number;
  /** Without a byte from the MTA while the server waits for it. Default 7210 s, as in libmilter. */
  readonly idle: number;
  /** Without the MTA reading what the server has written. Default 60 s. */
  readonly write: number;
  /** Between two SMFIR_PROGRESS while `endOfMessage` is pending. Default 4 s. */
  readonly progress: number;
}

export const DEFAULT_LIMITS: Limits = {
  connections: 1000,
  headerCount: 2000,
  headerBytes: 1 << 20,
  recipients: 50_000,
  bodyBytes: 64 << 20,
};

export const DEFAULT_TIMEOUTS: Timeouts = {
  negotiation: 30_000,
  idle: 7_210_000,
  write: 60_000,
  progress: 4_000,
};

/** An event of one connection, with the queue id of its current message if the MTA sent it. */
export type ConnectionEvent = {
  readonly connection: Connection;
  readonly queueId: string | undefined;
} & (
  | {
      /** A hook threw, or returned an answer that its stage does not allow. */
      readonly type: 'exception';
      readonly hook: string;
      readonly error: unknown;
      /** The answer that the MTA got instead. */
      readonly answered: 'accept' | 'tempfail' | 'nothing';
    }
  | {
      /** A message passes unmodified because it exceeds a limit; once per message. */
      readonly type: 'over-limit';
      readonly limit: MessageLimit;
      readonly maximum: number;
    }
  | {
      /** The peer does not speak the milter protocol. The connection was closed without a reply. */
      readonly type: 'protocol-error';
      readonly error: Error;
    }
  | {
      /** The MTA sent nothing, or read nothing, for too long. The connection was closed. */
      readonly type: 'timeout';
      readonly waitingFor: 'negotiation' | 'command' | 'write';
    }
  | {
      /** The MTA closed the connection in the middle of a message. */
      readonly type: 'disconnected';
      readonly error: Error | undefined;
    }
);

/** An event that a server reports to its operator. */
export type MilterEvent =
  | ConnectionEvent
  /** A connection over the limit was closed at once. */
  | { readonly type: 'refused'; readonly maximum: number }
  /** A listening socket failed. */
  | { readonly type: 'listener-error'; readonly error: Error };
