import type { Connection } from './filter.ts';

/** What a server tells its operator; `connection` is absent where none was made. */
export type MilterEvent =
  /** A hook threw or answered what its stage does not allow; `answered` is what the MTA got instead. */
  | {
      readonly type: 'exception';
      readonly connection: Connection;
      readonly hook: string;
      readonly error: unknown;
      readonly queueId: string | undefined;
      readonly answered: 'accept' | 'tempfail' | 'nothing';
    }
  /** A message passes unmodified because it is larger than `limits` allow; once a message. */
  | {
      readonly type: 'over-limit';
      readonly connection: Connection;
      readonly limit: MessageLimit;
      readonly maximum: number;
      readonly queueId: string | undefined;
    }
  /** The peer does not speak the protocol: the connection was closed without an answer. */
  | {
      readonly type: 'protocol-error';
      readonly connection: Connection;
      readonly error: Error;
      readonly queueId: string | undefined;
    }
  /** Nothing came, or nothing could be written, for too long: the connection was closed. */
  | {
      readonly type: 'timeout';
      readonly connection: Connection;
      readonly waitingFor: 'negotiation' | 'command' | 'write';
      readonly queueId: string | undefined;
    }
  /** The MTA went away in the middle of a message. */
  | {
      readonly type: 'disconnected';
      readonly connection: Connection;
      readonly error: Error | undefined;
      readonly queueId: string | undefined;
    }
  /** More connections than allowed: this one was closed at once. */
  | { readonly type: 'refused'; readonly maximum: number }
  /** A listening socket failed. */
  | { readonly type: 'listener-error'; readonly error: Error };

export type MessageLimit = 'headerCount' | 'headerBytes' | 'recipients' | 'bodyBytes';
