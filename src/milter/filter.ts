import type { Answer, BodyAnswer, SessionAnswer } from './answer.ts';
import type { actionFlag, macroStage } from './protocol.ts';

/**
 * The interface of a filter, and what its hooks receive. All texts (names, values, addresses,
 * macros) are byte strings: one character per byte (latin1), so that nothing is lost. `fromUtf8`
 * and `toUtf8` convert them from and to Unicode.
 */

/** A modification that a filter asks to be allowed. `Connection.actions` has those granted. */
export type Action = keyof typeof actionFlag;

/** A stage at which the MTA asks the filter. */
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

/**
 * The macros wanted at each stage, for example `{ connect: ['{client_addr}'] }`. The list replaces
 * the MTA's own list for that stage. Sendmail takes at most 50 names per stage.
 */
export type MacroRequest = { readonly [stage in keyof typeof macroStage]?: readonly string[] };

/**
 * The return value of a hook. Nothing means `continue`. While a promise is pending, the server
 * handles no further command of that connection.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: most hooks have no return statement
export type Maybe<T> = T | undefined | void | Promise<T | undefined | void>;

/**
 * A milter. The MTA is asked for the stages that have a hook. The hooks of one connection run one
 * after another. An error thrown by a hook is reported to `onEvent` and answered as `onException`
 * says; it never affects other connections.
 */
export interface Filter<State = undefined> {
  /** Modifications that `endOfMessage` may make. */
  readonly actions?: readonly Action[];
  readonly macros?: MacroRequest;
  /**
   * Hooks that never answer, so that the MTA does not wait for them (SMFIP_NR_*). If such a hook
   * does answer, or throws, the answer applies to the message and is sent at the next stage that
   * the MTA waits for. DATA is answered over TCP all the same: without a reply to it, Postfix takes
   * 45 ms longer per message. If `body` is silent, `skip` has no effect on the MTA.
   */
  readonly silent?: readonly Hook[];

  /** Called at MAIL. Returns the filter's own state of the message. */
  begin(connection: Connection): State;

  /** The SMTP client has connected. */
  connect?(connection: Connection, client: ConnectInfo): Maybe<SessionAnswer>;
  /** HELO or EHLO. */
  helo?(connection: Connection, name: string): Maybe<SessionAnswer>;
  /** MAIL FROM. */
  mail?(message: Message<State>, sender: EnvelopeAddress): Maybe<Answer>;
  /** RCPT TO, once per recipient. */
  rcpt?(message: Message<State>, recipient: EnvelopeAddress): Maybe<Answer>;
  /** DATA. */
  data?(message: Message<State>): Maybe<Answer>;
  /** One header field. */
  header?(message: Message<State>, header: Header): Maybe<Answer>;
  /** The header is complete. */
  endOfHeaders?(message: Message<State>): Maybe<Answer>;
  /**
   * A piece of the body, of up to 64 KB. The buffer is a view on the bytes read. It is never
   * written again and must not be written to. It may be kept, which keeps the bytes around it in
   * memory.
   */
  body?(message: Message<State>, chunk: Buffer): Maybe<BodyAnswer>;
  /**
   * The message is complete. Only this hook can modify it. After `continue` and `accept` the
   * message goes on to the other milters.
   */
  endOfMessage?(message: EndOfMessage<State>): Maybe<Answer>;

  /** An SMTP command that the MTA does not know. */
  unknown?(connection: Connection, command: string): Maybe<SessionAnswer>;
  /** The message ends before `endOfMessage`, and not because of an answer of this filter. */
  abort?(message: Message<State>, reason: AbortReason): void;
  /** The SMTP session is over. Called once per session, after all other hooks. */
  close?(connection: Connection): void;
}

/**
 * Why a message ends before `endOfMessage`: the MTA aborted it (`aborted`), the connection was lost
 * (`disconnected`), the message exceeded a limit and passes unmodified (`over-limit`), or a hook
 * threw (`exception`).
 */
export type AbortReason = 'aborted' | 'disconnected' | 'over-limit' | 'exception';

/** One SMTP session. */
export interface Connection {
  /** A number for logs, unique in this process. */
  readonly id: number;
  /** The SMTP client. Undefined if the filter has no `connect` hook. */
  readonly client: ConnectInfo | undefined;
  /** The name given at HELO or EHLO. Undefined if the filter has no `helo` hook. */
  readonly helo: string | undefined;
  /** The modifications granted: those in `Filter.actions` that the MTA offered. */
  readonly actions: ReadonlySet<Action>;
  /** The value of a macro. `x` and `{x}` are the same name. The latest stage that has it wins. */
  macro(name: string): string | undefined;
}

/** The SMTP client, as reported at CONNECT. */
export interface ConnectInfo {
  readonly hostname: string;
  /** SMFIA_INET `4`, SMFIA_INET6 `6`, SMFIA_UNIX `L`, SMFIA_UNKNOWN `U`. */
  readonly family: 'inet' | 'inet6' | 'unix' | 'unknown';
  /** The IP address, without `IPv6:`, or the path of a unix socket. */
  readonly address?: string;
  readonly port?: number;
}

/** A sender or recipient. */
export interface EnvelopeAddress {
  /** The address without angle brackets. It is empty for the null sender. */
  readonly address: string;
  /** ESMTP parameters, for example `SIZE=1000`. */
  readonly args: readonly string[];
}

/** A header field as it was received. */
export interface Header {
  readonly name: string;
  /** The text after the colon and one space. Folded lines are separated by LF alone. */
  readonly value: string;
  /**
   * The text after the colon, byte for byte if the MTA supports that (SMFIP_HDR_LEADSPC).
   * Otherwise it is a space and the value.
   */
  readonly raw: string;
}

/** One message, from MAIL on. */
export interface Message<State = unknown> {
  readonly connection: Connection;
  /** The return value of `begin`. */
  readonly state: State;
  /** The macro `i`. Postfix knows it from the first accepted recipient on. */
  readonly queueId: string | undefined;
  /** Aborted when the message ends early (see `AbortReason`), also while a hook is running. */
  readonly signal: AbortSignal;
  /** Whether `signal` is aborted. Polling this is cheaper than creating the signal. */
  readonly aborted: boolean;
  /** The value of a macro, as `Connection.macro`. Macros last as long as their message. */
  macro(name: string): string | undefined;
}

/**
 * A complete message. Modifications are queued and sent together with the answer, in an order that
 * Postfix and Sendmail both understand: header changes (highest index first), insertions,
 * additions, envelope, quarantine, body. They are sent with `continue` and `accept`, and dropped
 * with all other answers. Each method throws a RangeError for a text that cannot be sent, and an
 * Error if the MTA did not grant the action.
 */
export interface EndOfMessage<State = unknown> extends Message<State> {
  /** Adds a header field below the others (SMFIR_ADDHEADER). The value is as `Header.value`. */
  addHeader(name: string, value: string): void;
  /**
   * Inserts a header field (SMFIR_INSHEADER).
   * @param index 0 is above the MTA's own Received field, 1 is below it
   */
  insertHeader(index: number, name: string, value: string): void;
  /**
   * Replaces a header field (SMFIR_CHGHEADER).
   * @param index counts fields of that name from 1, in the message as it was received
   * @param value an empty value deletes the field
   */
  changeHeader(name: string, index: number, value: string): void;
  /** Deletes a header field; name and index are as in `changeHeader`. */
  deleteHeader(name: string, index: number): void;
  /**
   * Sets the new body (SMFIR_REPLBODY), with CRLF line ends. A further call replaces the first.
   * The buffers must not be changed afterwards.
   */
  replaceBody(chunks: Buffer | readonly Buffer[]): void;
  /**
   * Adds a recipient (SMFIR_ADDRCPT).
   * @param args ESMTP parameters; they need the action `addRecipientsWithArguments`
   */
  addRecipient(address: string, args?: readonly string[]): void;
  /** Deletes a recipient (SMFIR_DELRCPT), spelt as it was received at RCPT. */
  deleteRecipient(address: string): void;
  /** Changes the envelope sender (SMFIR_CHGFROM). */
  changeSender(address: string, args?: readonly string[]): void;
  /** Puts the message into the MTA's hold queue (SMFIR_QUARANTINE). */
  quarantine(reason: string): void;
  /**
   * Tells the MTA that the work goes on (SMFIR_PROGRESS). The server does so by itself every few
   * seconds; see `Timeouts.progress`.
   */
  progress(): void;
}
