import type { Answer, BodyAnswer, SessionAnswer } from './answer.ts';
import type { actionFlag, macroStage } from './protocol.ts';

/**
 * What a filter is, and what it is given. All texts (names, values, addresses, macros) are byte strings:
 * one character a byte (latin1), so that nothing is lost; `fromUtf8` and `toUtf8` convert to and from Unicode.
 */

/** A modification a filter wants to be allowed; see `Connection.actions` for what the MTA granted. */
export type Action = keyof typeof actionFlag;

/** The stages at which a filter can be asked. */
export type Hook =
  | 'connect'
  | 'helo'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'header'
  | 'endOfHeaders'
  | 'body'
  | 'unknown';

/** Macros wanted at a stage, e.g. `{ connect: ['{client_addr}'] }`; replaces the MTA's own list for that stage. */
export type MacroRequest = { readonly [stage in keyof typeof macroStage]?: readonly string[] };

/** What a hook gives back: nothing is `continue`. A promise is waited for, with the connection paused. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook without a return statement is what most hooks are
export type Maybe<T> = T | undefined | void | Promise<T | undefined | void>;

/**
 * A milter. The hooks that exist are the stages the MTA is asked for; hooks of one connection run one
 * after another. What a hook throws is reported, and answered as `onException` says.
 */
export interface Filter<State = undefined> {
  /** Modifications that `endOfMessage` may ask for. */
  readonly actions?: readonly Action[];
  readonly macros?: MacroRequest;
  /**
   * Hooks that have no say, so that the MTA need not wait for them (SMFIP_NR_*). Should one answer all the same, or
   * throw, the answer is kept until the MTA next waits for one, and then covers the message. `data` is answered
   * nevertheless: without, Postfix takes 45 ms longer a message.
   */
  readonly silent?: readonly Hook[];

  /** A message begins (at MAIL): its state. */
  begin(connection: Connection): State;

  connect?(connection: Connection, client: ConnectInfo): Maybe<SessionAnswer>;
  helo?(connection: Connection, name: string): Maybe<SessionAnswer>;
  mail?(message: Message<State>, sender: EnvelopeAddress): Maybe<Answer>;
  rcpt?(message: Message<State>, recipient: EnvelopeAddress): Maybe<Answer>;
  data?(message: Message<State>): Maybe<Answer>;
  header?(message: Message<State>, header: Header): Maybe<Answer>;
  endOfHeaders?(message: Message<State>): Maybe<Answer>;
  /**
   * A piece of the body, of any length: pieces need not be the MTA's packets, only their order means something.
   * The buffer is a view on what was read, never written again: keep it as long as you like, at the
   * price of the up to 64 KB around it, and do not write to it.
   */
  body?(message: Message<State>, chunk: Buffer): Maybe<BodyAnswer>;
  /** The only place where a message can be changed. `continue` lets the other milters go on, as does `accept`. */
  endOfMessage?(message: EndOfMessage<State>): Maybe<Answer>;

  /** An SMTP command that the MTA does not know. */
  unknown?(connection: Connection, command: string): Maybe<SessionAnswer>;
  /** The message will not come to its end, and not because of an answer of this filter. */
  abort?(message: Message<State>, reason: AbortReason): void;
  /** The SMTP session is over; called exactly once for each that began, after all other hooks. */
  close?(connection: Connection): void;
}

/**
 * Why a message does not come to its end: the MTA gave it up (`aborted`), the connection went away
 * (`disconnected`), a limit was passed and the message goes through unmodified (`over-limit`), or a hook threw (`exception`).
 */
export type AbortReason = 'aborted' | 'disconnected' | 'over-limit' | 'exception';

/** One SMTP session, as the MTA tells it. */
export interface Connection {
  /** Unique in this process; for logs. */
  readonly id: number;
  /** The SMTP client; absent where CONNECT was not asked for. */
  readonly client: ConnectInfo | undefined;
  readonly helo: string | undefined;
  /** Modifications the MTA grants: those wanted that it offered. */
  readonly actions: ReadonlySet<Action>;
  /** The value of a macro, `x` and `{x}` being one name; the latest stage that has it wins. */
  macro(name: string): string | undefined;
}

/** The SMTP client of a CONNECT. */
export interface ConnectInfo {
  readonly hostname: string;
  /** SMFIA_INET `4`, SMFIA_INET6 `6`, SMFIA_UNIX `L`, SMFIA_UNKNOWN `U`. */
  readonly family: 'inet' | 'inet6' | 'unix' | 'unknown';
  /** The IP address without `IPv6:`, or the path of a unix socket. */
  readonly address?: string;
  readonly port?: number;
}

/** A sender or recipient. */
export interface EnvelopeAddress {
  /** Without the angle brackets; empty is the null sender. Local submission to Postfix sends none to begin with. */
  readonly address: string;
  /** ESMTP parameters, e.g. `SIZE=1000`. */
  readonly args: readonly string[];
}

/** A header field as it stood in the message. */
export interface Header {
  readonly name: string;
  /** What follows the colon and one space. Folded lines are separated by LF alone. */
  readonly value: string;
  /** What follows the colon, byte for byte where the MTA can tell (SMFIP_HDR_LEADSPC); else a space and the value. */
  readonly raw: string;
}

/** One message, from MAIL on. */
export interface Message<State = unknown> {
  readonly connection: Connection;
  readonly state: State;
  /** The macro `i`; Postfix knows it after the first accepted recipient. Macros last as long as their message. */
  readonly queueId: string | undefined;
  /** Aborted with the message (see `AbortReason`), also while a hook is running. */
  readonly signal: AbortSignal;
  /** Whether that has happened: cheaper than a signal, for what looks now and then. */
  readonly aborted: boolean;
  macro(name: string): string | undefined;
}

/**
 * A message at its end. Modifications are queued and sent together with the answer, in an order both
 * MTAs understand: header changes (highest index first), insertions, additions, envelope, quarantine,
 * body. Those the MTA did not grant, and texts that could not be sent, throw. With answers other than
 * `continue` and `accept` they are dropped.
 */
export interface EndOfMessage<State = unknown> extends Message<State> {
  /** Adds a header field below the others. Values are as `Header.value`. */
  addHeader(name: string, value: string): void;
  /** Inserts a header field: index 0 is above the MTA's own Received, 1 below it. */
  insertHeader(index: number, name: string, value: string): void;
  /** Replaces the index-th field of that name (from 1, whatever else is changed); an empty value deletes it. */
  changeHeader(name: string, index: number, value: string): void;
  deleteHeader(name: string, index: number): void;
  /** The new body, with CRLF line ends. The buffers must not be changed after that. Calling it again replaces it. */
  replaceBody(chunks: Buffer | readonly Buffer[]): void;
  /** Adds a recipient; ESMTP parameters need the action `addRecipientsWithArguments`. */
  addRecipient(address: string, args?: readonly string[]): void;
  /** The address must be spelt as it came at RCPT. */
  deleteRecipient(address: string): void;
  changeSender(address: string, args?: readonly string[]): void;
  /** Keeps the message in the MTA's hold queue. */
  quarantine(reason: string): void;
  /** Tells the MTA that work goes on (SMFIR_PROGRESS). The server does so every few seconds by itself. */
  progress(): void;
}
