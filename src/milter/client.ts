import { createConnection } from 'node:net';
import { isRefusal } from './answer.ts';
import {
  ClientConnection,
  encodeConnect,
  encodeEnvelope,
  type Macros,
} from './client-connection.ts';
import {
  type ClientAgreement,
  decodeAgreement,
  decodeAnswer,
  decodeModification,
  type ReceivedAnswer,
} from './client-replies.ts';
import {
  type Decisive,
  Sending,
  type Transaction,
  type TransactionResult,
} from './client-transaction.ts';
import type { ConnectInfo } from './filter.ts';
import { frame, frameHeader } from './frame.ts';
import type { Modification } from './modification.ts';
import {
  ALL_ACTIONS,
  ALL_PROTOCOL,
  command,
  MAX_DATA,
  ProtocolError,
  protocolFlag,
  reply as replies,
  V1_ACTIONS,
  V1_PROTOCOL,
  VERSION,
} from './protocol.ts';

/**
 * The MTA's side of the protocol, for tests, demonstrations and benchmarks. The client sends what
 * Postfix sends, and modifies a message as Postfix does.
 */

/** Options of `connectMilter`. */
export interface MilterClientOptions {
  readonly offer?: Offer;
  /** Milliseconds to wait for a reply. Default 30 s. */
  readonly timeout?: number;
}

/** The offer of the client at negotiation. */
export interface Offer {
  /** Default 6. */
  readonly version?: number;
  /** SMFIF_*. Default 0x1ff, which is all of them. */
  readonly actions?: number;
  /** SMFIP_*. Default 0x1fffff, which is all but SMFIP_MDS_*. */
  readonly protocol?: number;
}

/** An SMTP session to play. */
export interface SmtpSession {
  /** Default: localhost, inet, 127.0.0.1, port 0, as Postfix reports local submission. */
  readonly client?: ConnectInfo;
  /** Default `localhost`. */
  readonly helo?: string;
  /** Macros of the stages connect and helo. */
  readonly macros?: Macros;
}

/** A connection to a milter, for any number of SMTP sessions and messages, one after another. */
export interface MilterClient {
  readonly agreed: ClientAgreement;
  /** Sends CONNECT and HELO. After `accept`, `send` sends nothing to the milter. */
  open(session?: SmtpSession): Promise<ReceivedAnswer>;
  /** Sends one message, in a default session if none is open. */
  send(message: Transaction): Promise<TransactionResult>;
  /** Sends SMFIC_ABORT, as after RSET. */
  abort(): void;
  /** Sends SMFIC_QUIT_NC, which ends the SMTP session and keeps the connection. */
  quitSession(): void;
  /** Sends SMFIC_QUIT and closes the connection. */
  quit(): Promise<void>;
  /** Resets the connection. */
  destroy(): void;
}

/**
 * Connects to a milter and negotiates.
 * @throws ProtocolError if the milter does not speak the protocol, or agrees to what was not
 *   offered, as Sendmail does
 */
export async function connectMilter(
  where: { readonly host?: string; readonly port: number } | { readonly path: string },
  { offer = {}, timeout = 30_000 }: MilterClientOptions = {},
): Promise<MilterClient> {
  const { version = VERSION, actions = ALL_ACTIONS, protocol = ALL_PROTOCOL } = offer;
  const connection = new ClientConnection(createConnection(where), timeout);
  try {
    const payload = Buffer.alloc(12);
    payload.writeUInt32BE(version, 0);
    payload.writeUInt32BE(actions >>> 0, 4);
    payload.writeUInt32BE(protocol >>> 0, 8);
    connection.queue(frame(command.negotiate, payload));
    const received = await connection.nextFrame();
    const agreed = decodeAgreement(received.command, received.payload);
    const tooMuch =
      (agreed.actions & ~(actions || V1_ACTIONS)) | (agreed.protocol & ~(protocol || V1_PROTOCOL));
    if (tooMuch !== 0 || agreed.version > version) {
      throw new ProtocolError(
        'milter client: negotiate: the milter agreed to what was not offered',
      );
    }
    return new Client(connection, agreed);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

class Client implements MilterClient {
  readonly agreed: ClientAgreement;
  readonly #connection: ClientConnection;
  /** The answer to CONNECT and HELO. Undefined if no SMTP session is open. */
  #session: ReceivedAnswer | undefined;

  constructor(connection: ClientConnection, agreed: ClientAgreement) {
    this.#connection = connection;
    this.agreed = agreed;
  }

  async open(session: SmtpSession = {}): Promise<ReceivedAnswer> {
    const { client = LOCAL, helo = 'localhost', macros } = session;
    let answer: ReceivedAnswer = 'none';
    if (!this.#agreed(protocolFlag.noConnect)) {
      this.#connection.queueCommand('connect', macros, encodeConnect(client));
      answer = await this.#answer(protocolFlag.noReplyConnect);
    }
    if (goesOn(answer) && !this.#agreed(protocolFlag.noHelo)) {
      this.#connection.queueCommand('helo', macros, frame(command.helo, `${helo}\0`));
      answer = await this.#answer(protocolFlag.noReplyHelo);
    }
    this.#session = answer;
    return answer;
  }

  async send(sent: Transaction): Promise<TransactionResult> {
    const sending = new Sending(sent);
    const decisive =
      (await this.#sendEnvelope(sending)) ??
      (await this.#sendHeader(sending)) ??
      (await this.#sendBody(sending));
    if (decisive !== undefined) return sending.result(decisive);
    const end = frameHeader(command.endOfMessage, sending.rest.length);
    this.#connection.queueCommand('endOfMessage', sent.macros, end, sending.rest);
    return this.#receiveEnd(sending);
  }

  async #sendEnvelope(sending: Sending): Promise<Decisive | undefined> {
    const { senderArgs, macros } = sending.sent;
    const session = this.#session ?? (await this.open());
    if (!goesOn(session)) return { answer: session, stage: 'session' };
    if (!this.#agreed(protocolFlag.noMail)) {
      const mail = encodeEnvelope(command.mail, sending.sender, senderArgs);
      this.#connection.queueCommand('mail', macros, mail);
      const answer = await this.#answer(protocolFlag.noReplyMail);
      if (!goesOn(answer)) return { answer, stage: 'mail' };
    }
    for (const recipient of sending.allRecipients) {
      let answer: ReceivedAnswer = 'none';
      if (!this.#agreed(protocolFlag.noRcpt)) {
        this.#connection.queueCommand('rcpt', macros, encodeEnvelope(command.rcpt, recipient));
        answer = await this.#answer(protocolFlag.noReplyRcpt);
      }
      if (isRefusal(answer)) sending.refused.set(recipient, answer);
      else if (goesOn(answer)) sending.recipients.push(recipient);
      else return { answer, stage: 'rcpt' };
    }
    const [refusal] = sending.refused.values();
    if (sending.recipients.length > 0 || refusal === undefined) return undefined;
    this.abort();
    return { answer: refusal, stage: 'rcpt' };
  }

  async #sendHeader({ sent: { macros }, split }: Sending): Promise<Decisive | undefined> {
    if (!this.#agreed(protocolFlag.noData) && this.agreed.version > 3) {
      this.#connection.queueCommand('data', macros, frame(command.data));
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
    this.#connection.queueCommand('endOfHeaders', macros, frame(command.endOfHeaders));
    const answer = await this.#answer(protocolFlag.noReplyEndOfHeaders);
    return goesOn(answer) ? undefined : { answer, stage: 'endOfHeaders' };
  }

  async #sendBody(sending: Sending): Promise<Decisive | undefined> {
    if (this.#agreed(protocolFlag.noBody)) return undefined;
    const { sent } = sending;
    const { body } = sending.split;
    const size = Math.min(sent.bodyChunk ?? MAX_DATA, MAX_DATA);
    for (let at = 0; at < body.length; at += size) {
      const piece = body.subarray(at, at + size);
      sending.bodySent += piece.length;
      if (sent.endWithData && at + size >= body.length) {
        sending.rest = piece;
        return undefined;
      }
      this.#connection.queue(BODY_MACROS, frameHeader(command.body, piece.length), piece);
      const answer = await this.#answer(protocolFlag.noReplyBody);
      if (answer === 'skip') return undefined;
      if (!goesOn(answer)) return { answer, stage: 'body' };
    }
    return undefined;
  }

  /** Receives modifications, if any, and the final answer. */
  async #receiveEnd(sending: Sending): Promise<TransactionResult> {
    const modifications: Modification[] = [];
    for (let progress = 0; ; ) {
      const { command: letter, payload } = await this.#connection.nextFrame();
      const modification = decodeModification(letter, payload, this.#isVerbatim);
      if (modification !== undefined) modifications.push(modification);
      else if (letter === replies.progress) progress++;
      else {
        const answer = decodeAnswer(letter, payload);
        return sending.result({ answer, stage: 'endOfMessage' }, modifications, progress);
      }
    }
  }

  abort(): void {
    this.#connection.queue(frame(command.abort));
    this.#connection.flush();
  }

  quitSession(): void {
    this.#session = undefined;
    this.#connection.queue(frame(command.quitNewConnection));
    this.#connection.flush();
  }

  quit(): Promise<void> {
    this.#connection.queue(frame(command.quit));
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

  /** Sends the queue and waits for the answer, unless that flag was agreed. */
  async #answer(noReply: number): Promise<ReceivedAnswer> {
    if (this.#agreed(noReply)) return 'none';
    const { command: letter, payload } = await this.#connection.nextFrame();
    return decodeAnswer(letter, payload);
  }
}

const LOCAL: ConnectInfo = {
  hostname: 'localhost',
  family: 'inet',
  address: '127.0.0.1',
  port: 0,
};
const HEADER_MACROS = frame(command.macro, 'L');
const BODY_MACROS = frame(command.macro, 'B');

function goesOn(answer: ReceivedAnswer): boolean {
  return answer === 'none' || answer === 'continue' || answer === 'skip';
}
