import type { ConnectInfo } from './filter.ts';
import type { Modification } from './modification.ts';
import type { macroStage } from './protocol.ts';
import type { Reply } from './reply-code.ts';

/**
 * The MTA's side of the protocol, for tests, demonstrations and benchmarks: it sends what Postfix sends,
 * and does to a message what Postfix does.
 */

export interface Offer {
  /** Default 6. */
  readonly version?: number;
  /** SMFIF_*; default 0x1ff. */
  readonly actions?: number;
  /** SMFIP_*; default 0x1fffff. */
  readonly protocol?: number;
}

export interface MilterClientOptions {
  readonly offer?: Offer;
  /** Milliseconds without a reply before the connection is given up. Default 30 s. */
  readonly timeout?: number;
}

export type MacroStage = keyof typeof macroStage;
/** Macros to send, by stage: `{ connect: { '{client_addr}': '192.0.2.1' }, rcpt: { i: '4F…' } }`. */
export type Macros = { readonly [stage in MacroStage]?: Readonly<Record<string, string>> };

/** The milter's answer to one command; `none` where it was agreed that there is none. */
export type ReceivedAnswer =
  | 'none'
  | 'continue'
  | 'accept'
  | 'reject'
  | 'tempfail'
  | 'discard'
  | 'skip'
  | 'connFail'
  | 'shutdown'
  | Reply;

export interface SmtpSession {
  /** Default localhost, inet, 127.0.0.1, port 0. */
  readonly client?: ConnectInfo;
  /** Default `localhost`. */
  readonly helo?: string;
  /** Stages connect and helo. */
  readonly macros?: Macros;
}

export interface Transaction {
  /** As sent: with `<>` from SMTP, without from local submission. Default `<sender@example.com>`. */
  readonly sender?: string;
  readonly senderArgs?: readonly string[];
  /** Default `<recipient@example.net>`. */
  readonly recipients?: readonly string[];
  /** The whole message, header and body, CRLF line ends. */
  readonly message: Buffer;
  /** Stages mail to endOfMessage; the agreed macro request does not filter them. */
  readonly macros?: Macros;
  /** Data bytes of one SMFIC_BODY. Default 65535. */
  readonly bodyChunk?: number;
  /** Whether SMFIC_BODYEOB carries the last piece of the body. Default no, as Postfix. */
  readonly endWithData?: boolean;
}

export interface TransactionResult {
  /** The answer that decided; `continue` or `accept` where the message goes on. */
  readonly answer: ReceivedAnswer;
  /** The stage of that answer. */
  readonly stage: 'mail' | 'rcpt' | 'data' | 'header' | 'endOfHeaders' | 'body' | 'endOfMessage';
  /** Recipients that are left, in order. */
  readonly recipients: readonly string[];
  /** What was answered to recipients that were refused. */
  readonly refused: ReadonlyMap<string, ReceivedAnswer>;
  readonly sender: string;
  readonly modifications: readonly Modification[];
  readonly quarantine: string | undefined;
  /** The message after the modifications; the very buffer that was sent where there are none. */
  readonly message: Buffer;
  /** SMFIR_PROGRESS packets seen. */
  readonly progress: number;
  /** Bytes of the body the milter took (less than all of them after `skip`, or an early answer). */
  readonly bodySent: number;
}

/** One connection to a milter: any number of SMTP sessions, each of any number of messages, one after another. */
export interface MilterClient {
  /** What was agreed: the offer masked by the milter's reply. */
  readonly agreed: {
    readonly version: number;
    readonly actions: number;
    readonly protocol: number;
    /** The milter's macro request, by stage; a stage it did not name is absent. */
    readonly macros: { readonly [stage in MacroStage]?: readonly string[] };
  };
  /** CONNECT and HELO. With `accept` the milter wants nothing more of the session: `send` then sends nothing. */
  open(session?: SmtpSession): Promise<ReceivedAnswer>;
  /** Plays one message; opens a default session where none is open. */
  send(transaction: Transaction): Promise<TransactionResult>;
  /** RSET. */
  abort(): void;
  /** SMFIC_QUIT_NC: ends the SMTP session and keeps the connection for the next `open`. */
  quitSession(): void;
  /** SMFIC_QUIT, and the end of the connection. */
  quit(): Promise<void>;
  /** Resets the connection in the middle of whatever goes on. */
  destroy(): void;
}

/** Connects to a milter and negotiates. */
export declare function connectMilter(
  where: { readonly host?: string; readonly port: number } | { readonly path: string },
  options?: MilterClientOptions,
): Promise<MilterClient>;
