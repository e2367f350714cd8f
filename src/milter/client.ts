import { createConnection } from 'node:net';
import { ClientConnection } from './client-connection.ts';
import {
  type ClientAgreement,
  decodeAgreement,
  encodeOffer,
  type MacroStage,
  type Offer,
} from './client-negotiate.ts';
import type { ConnectInfo, Hook } from './filter.ts';
import { frame, frameHeader } from './frame.ts';
import {
  applyModifications,
  applyToEnvelope,
  type SplitMessage,
  splitMessage,
} from './message-edit.ts';
import type { Modification } from './modification.ts';
import { command, MAX_DATA, protocolFlag, reply as replies } from './protocol.ts';
import { decodeAnswer, decodeModification, type ReceivedAnswer } from './received.ts';

/**
 * The MTA's side of the protocol, for tests, demonstrations and benchmarks: it sends what Postfix sends,
 * and does to a message what Postfix does.
 */

export interface MilterClientOptions {
  readonly offer?: Offer;
  /** Milliseconds without a reply before the connection is given up. Default 30 s. */
  readonly timeout?: number;
}

/** Macros to send, by stage: `{ connect: { '{client_addr}': '192.0.2.1' }, rcpt: { i: '4F…' } }`. */
export type Macros = { readonly [stage in MacroStage]?: Readonly<Record<string, string>> };

export interface SmtpSession {
  /** Default localhost, inet, 127.0.0.1, port 0: what Postfix says of local submission. */
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
  /** Stages mail to endOfMessage; sent as given, whatever the milter asked for. */
  readonly macros?: Macros;
  /** Data bytes of one SMFIC_BODY. Default, and at most, 65535. */
  readonly bodyChunk?: number;
  /** Whether SMFIC_BODYEOB carries the last piece of the body, as Sendmail's may. Default no, as Postfix. */
  readonly endWithData?: boolean;
}

export type TransactionStage =
  | 'session'
  | Exclude<Hook, 'connect' | 'helo' | 'unknown'>
  | 'endOfMessage';

export interface TransactionResult {
  /** The answer that decided; `continue` or `accept` where the message goes on. */
  readonly answer: ReceivedAnswer;
  /** The stage of that answer; `session` where CONNECT or HELO was answered so that nothing is sent. */
  readonly stage: TransactionStage;
  readonly sender: string;
  /** Recipients that are left, in order. */
  readonly recipients: readonly string[];
  /** What was answered to recipients that were refused. */
  readonly refused: ReadonlyMap<string, ReceivedAnswer>;
  readonly modifications: readonly Modification[];
  readonly quarantine: string | undefined;
  /** The message after the modifications; the very buffer that was sent where there are none. */
  readonly message: Buffer;
  /** SMFIR_PROGRESS packets seen. */
  readonly progress: number;
  /** Bytes of the body the milter was sent: less than all after `skip` or an early answer. */
  readonly bodySent: number;
}

/** One connection to a milter: any number of SMTP sessions, each of any number of messages, one after another. */
export interface MilterClient {
  readonly agreed: ClientAgreement;
  /** CONNECT and HELO. After `accept` the milter wants nothing more of the session: `send` then sends nothing. */
  open(session?: SmtpSession): Promise<ReceivedAnswer>;
  /** Plays one message; opens a default session where none is open. */
  send(message: Transaction): Promise<TransactionResult>;
  /** Sends SMFIC_ABORT, as for RSET. */
  abort(): void;
  /** SMFIC_QUIT_NC: ends the SMTP session and keeps the connection for the next `open`. */
  quitSession(): void;
  /** SMFIC_QUIT, and the end of the connection. */
  quit(): Promise<void>;
  /** Resets the connection in the middle of whatever goes on. */
  destroy(): void;
}

/** Connects to a milter and negotiates. */
export async function connectMilter(
  where: { readonly host?: string; readonly port: number } | { readonly path: string },
  options: MilterClientOptions = {},
): Promise<MilterClient> {
  const connection = new ClientConnection(createConnection(where), options.timeout ?? 30_000);
  const offer = options.offer ?? {};
  try {
    connection.queue(encodeOffer(offer));
    return new Client(connection, decodeAgreement(await connection.nextFrame(), offer));
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** A message on its way through the stages. */
class Play {
  readonly sent: Transaction;
  readonly recipients: string[] = [];
  readonly refused = new Map<string, ReceivedAnswer>();
  bodySent = 0;
  /** The body's last piece, where it is kept for SMFIC_BODYEOB. */
  rest: Buffer = EMPTY;
  #split: SplitMessage | undefined;

  constructor(sent: Transaction) {
    this.sent = sent;
  }

  get split(): SplitMessage {
    this.#split ??= splitMessage(this.sent.message);
    return this.#split;
  }
}

/** An answer after which nothing more of the message is sent. */
interface Early {
  readonly answer: ReceivedAnswer;
  readonly stage: TransactionStage;
}

class Client implements MilterClient {
  readonly agreed: ClientAgreement;
  readonly #connection: ClientConnection;
  /** What CONNECT and HELO came to; undefined where no SMTP session is open. */
  #session: ReceivedAnswer | undefined;

  constructor(connection: ClientConnection, agreed: ClientAgreement) {
    this.#connection = connection;
    this.agreed = agreed;
  }

  async open(session: SmtpSession = {}): Promise<ReceivedAnswer> {
    let answer: ReceivedAnswer = 'none';
    if (!this.#agreed(protocolFlag.noConnect)) {
      this.#queue('connect', session.macros, encodeConnect(session.client ?? LOCAL));
      answer = await this.#answer(protocolFlag.noReplyConnect);
    }
    if (goesOn(answer) && !this.#agreed(protocolFlag.noHelo)) {
      const helo = frame(command.helo, `${session.helo ?? 'localhost'}\0`);
      this.#queue('helo', session.macros, helo);
      answer = await this.#answer(protocolFlag.noReplyHelo);
    }
    this.#session = answer;
    return answer;
  }

  async send(sent: Transaction): Promise<TransactionResult> {
    const play = new Play(sent);
    const early =
      (await this.#sendEnvelope(play)) ??
      (await this.#sendHeader(play)) ??
      (await this.#sendBody(play));
    if (early !== undefined) return result(play, early);
    const end = frameHeader(command.endOfMessage, play.rest.length);
    this.#queue('endOfMessage', sent.macros, end, play.rest);
    return this.#receiveEnd(play);
  }

  async #sendEnvelope(play: Play): Promise<Early | undefined> {
    const { sender = SENDER, senderArgs, recipients = RECIPIENTS, macros } = play.sent;
    const session = this.#session ?? (await this.open());
    if (!goesOn(session)) return { answer: session, stage: 'session' };
    if (!this.#agreed(protocolFlag.noMail)) {
      this.#queue('mail', macros, encodeEnvelope(command.mail, sender, senderArgs));
      const answer = await this.#answer(protocolFlag.noReplyMail);
      if (!goesOn(answer)) return { answer, stage: 'mail' };
    }
    for (const recipient of recipients) {
      let answer: ReceivedAnswer = 'none';
      if (!this.#agreed(protocolFlag.noRcpt)) {
        this.#queue('rcpt', macros, encodeEnvelope(command.rcpt, recipient));
        answer = await this.#answer(protocolFlag.noReplyRcpt);
      }
      if (isRefusal(answer)) play.refused.set(recipient, answer);
      else if (goesOn(answer)) play.recipients.push(recipient);
      else return { answer, stage: 'rcpt' };
    }
    const [refusal] = play.refused.values();
    if (play.recipients.length > 0 || refusal === undefined) return undefined;
    this.abort();
    return { answer: refusal, stage: 'rcpt' };
  }

  async #sendHeader({ sent: { macros }, split }: Play): Promise<Early | undefined> {
    if (!this.#agreed(protocolFlag.noData) && this.agreed.version > 3) {
      this.#queue('data', macros, DATA);
      const answer = await this.#answer(protocolFlag.noReplyData);
      if (!goesOn(answer)) return { answer, stage: 'data' };
    }
    if (!this.#agreed(protocolFlag.noHeaders)) {
      for (const { name, raw } of split.fields) {
        const value = raw.startsWith(' ') && !this.#isVerbatim ? raw.slice(1) : raw;
        this.#connection.queue(HEADER_MACROS, frame(command.header, `${name}\0${value}\0`));
        const answer = await this.#answer(protocolFlag.noReplyHeader);
        if (!goesOn(answer)) return { answer, stage: 'header' };
      }
    }
    if (this.#agreed(protocolFlag.noEndOfHeaders)) return undefined;
    this.#queue('endOfHeaders', macros, END_OF_HEADERS);
    const answer = await this.#answer(protocolFlag.noReplyEndOfHeaders);
    return goesOn(answer) ? undefined : { answer, stage: 'endOfHeaders' };
  }

  async #sendBody(play: Play): Promise<Early | undefined> {
    if (this.#agreed(protocolFlag.noBody)) return undefined;
    const { sent } = play;
    const { body } = play.split;
    const size = Math.min(sent.bodyChunk ?? MAX_DATA, MAX_DATA);
    for (let at = 0; at < body.length; at += size) {
      const piece = body.subarray(at, at + size);
      play.bodySent += piece.length;
      if (sent.endWithData && at + size >= body.length) {
        play.rest = piece;
        return undefined;
      }
      this.#connection.queue(BODY_MACROS, frameHeader(command.body, piece.length), piece);
      const answer = await this.#answer(protocolFlag.noReplyBody);
      if (answer === 'skip') return undefined;
      if (!goesOn(answer)) return { answer, stage: 'body' };
    }
    return undefined;
  }

  /** Modifications, if any, and the final answer. */
  async #receiveEnd(play: Play): Promise<TransactionResult> {
    const modifications: Modification[] = [];
    for (let packets = 0; ; ) {
      const { command: letter, payload } = await this.#connection.nextFrame();
      const modification = decodeModification(letter, payload, this.#isVerbatim);
      if (modification !== undefined) modifications.push(modification);
      else if (letter === replies.progress) packets++;
      else {
        const end = { answer: decodeAnswer(letter, payload), stage: 'endOfMessage' } as const;
        return result(play, end, modifications, packets);
      }
    }
  }

  abort(): void {
    this.#connection.queue(ABORT);
    this.#connection.flush();
  }

  quitSession(): void {
    this.#session = undefined;
    this.#connection.queue(QUIT_NEW_CONNECTION);
    this.#connection.flush();
  }

  quit(): Promise<void> {
    this.#connection.queue(QUIT);
    return this.#connection.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #agreed(flag: number): boolean {
    return (this.agreed.protocol & flag) !== 0;
  }

  get #isVerbatim(): boolean {
    return this.#agreed(protocolFlag.leadingSpace);
  }

  /** A command and before it its macros: Postfix sends such a packet even when it is empty. */
  #queue(stage: MacroStage, macros: Macros | undefined, ...commands: readonly Buffer[]): void {
    let text = STAGE_LETTERS[stage];
    for (const [name, value] of Object.entries(macros?.[stage] ?? {})) {
      text += `${name}\0${value}\0`;
    }
    this.#connection.queue(frame(command.macro, text), ...commands);
  }

  /** The answer to what was queued; none is waited for where that flag was agreed. */
  async #answer(noReply: number): Promise<ReceivedAnswer> {
    if (this.#agreed(noReply)) return 'none';
    const { command: letter, payload } = await this.#connection.nextFrame();
    return decodeAnswer(letter, payload);
  }
}

function result(
  { sent, recipients, refused, bodySent }: Play,
  { answer, stage }: Early,
  modifications: readonly Modification[] = [],
  progress = 0,
): TransactionResult {
  const taken = answer === 'continue' || answer === 'accept';
  const applied = taken ? modifications : [];
  const envelope = {
    sender: sent.sender ?? SENDER,
    recipients:
      stage === 'mail' || stage === 'session' ? (sent.recipients ?? RECIPIENTS) : recipients,
    quarantine: undefined,
  };
  return {
    ...{ answer, stage, refused, bodySent, modifications, progress },
    ...applyToEnvelope(envelope, applied),
    message: applyModifications(sent.message, applied),
  };
}

const SENDER = '<sender@example.com>';
const RECIPIENTS: readonly string[] = ['<recipient@example.net>'];
const LOCAL: ConnectInfo = {
  hostname: 'localhost',
  family: 'inet',
  address: '127.0.0.1',
  port: 0,
};
const EMPTY = Buffer.alloc(0);
const DATA = frame(command.data);
const END_OF_HEADERS = frame(command.endOfHeaders);
const ABORT = frame(command.abort);
const QUIT = frame(command.quit);
const QUIT_NEW_CONNECTION = frame(command.quitNewConnection);
const HEADER_MACROS = frame(command.macro, 'L');
const BODY_MACROS = frame(command.macro, 'B');

const STAGE_LETTERS: Readonly<Record<MacroStage, string>> = {
  connect: 'C',
  helo: 'H',
  mail: 'M',
  rcpt: 'R',
  data: 'T',
  endOfHeaders: 'N',
  endOfMessage: 'E',
};

function goesOn(answer: ReceivedAnswer): boolean {
  return answer === 'none' || answer === 'continue' || answer === 'skip';
}

function isRefusal(answer: ReceivedAnswer): boolean {
  return answer === 'reject' || answer === 'tempfail' || typeof answer !== 'string';
}

function encodeConnect({ hostname, family, address = '', port = 0 }: ConnectInfo): Buffer {
  if (family === 'unknown') return frame(command.connect, `${hostname}\0U`);
  const letter = { inet: '4', inet6: '6', unix: 'L' }[family];
  const bytes = String.fromCharCode(port >> 8, port & 255);
  const prefix = family === 'inet6' ? 'IPv6:' : '';
  return frame(command.connect, `${hostname}\0${letter}${bytes}${prefix}${address}\0`);
}

function encodeEnvelope(letter: number, address: string, args: readonly string[] = []): Buffer {
  return frame(letter, `${[address, ...args].join('\0')}\0`);
}
