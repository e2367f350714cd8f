import type { MilterEvent } from './event.ts';

/** Bounds on what one MTA can make this process hold. A message over one of them passes unmodified. */
export interface Limits {
  /** Connections at the same time; more are closed at once (the MTA then does its default action). Default 1000. */
  readonly connections: number;
  /** Header fields of a message. Default 2000. */
  readonly headerCount: number;
  /** Bytes of all header fields of a message, names and values. Default 1 MiB. */
  readonly headerBytes: number;
  /** Recipients of a message, of up to 1000 bytes on the average. Default 50 000. */
  readonly recipients: number;
  /** Bytes of the body. Default 64 MiB. */
  readonly bodyBytes: number;
}

/** In milliseconds. */
export interface Timeouts {
  /** From the connection to a complete SMFIC_OPTNEG. Default 30 s. */
  readonly negotiation: number;
  /** Without a byte from the MTA while it is its turn. Default 7210 s, as libmilter's. */
  readonly idle: number;
  /** Without the MTA reading what it is sent. Default 60 s. */
  readonly write: number;
  /** Between two SMFIR_PROGRESS while `endOfMessage` works. Default 4 s. */
  readonly progress: number;
}

export interface MilterServerOptions {
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  /** The answer where a hook throws. Default `tempfail`. */
  readonly onException?: 'accept' | 'tempfail';
  /** For logs and metrics. */
  readonly onEvent?: (event: MilterEvent) => void;
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
