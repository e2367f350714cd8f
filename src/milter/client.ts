import { createConnection, type Socket } from 'node:net';
import type { ConnectInfo } from './filter.ts';
import { FrameReader, frame, frameHeader } from './frame.ts';
import { applyModifications, splitMessage } from './message-edit.ts';
import type { Modification } from './modification.ts';
import {
  ALL_ACTIONS,
  ALL_PROTOCOL,
  command,
  MAX_DATA,
  macroStage,
  protocolFlag,
  reply as replies,
  V1_ACTIONS,
  V1_PROTOCOL,
  VERSION,
} from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';
import { decodeAnswer, decodeModification, type ReceivedAnswer } from './received.ts';

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
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'header'
  | 'endOfHeaders'
  | 'body'
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

/** What was agreed: the offer masked by the milter's reply. */
export interface ClientAgreement {
  readonly version: number;
  readonly actions: number;
  readonly protocol: number;
  /** The milter's macro request; a stage it did not name is absent. */
  readonly macros: { readonly [stage in MacroStage]?: readonly string[] };
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
  const socket = createConnection(where);
  socket.setNoDelay(true);
  const client = new Client(socket, options.timeout ?? 30_000);
  await client.negotiate(options.offer ?? {});
  return client;
}

class Client implements MilterClient {
  agreed: ClientAgreement = { version: 0, actions: 0, protocol: 0, macros: {} };
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #out: Buffer[] = [];
  #waiter: { resolve(): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;
  /** What CONNECT and HELO came to; undefined where no SMTP session is open. */
  #session: ReceivedAnswer | undefined;

  constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    socket.setTimeout(timeout);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#waiter?.resolve();
    });
    socket.on('timeout', () => {
      if (this.#waiter === undefined) return;
      socket.destroy(new Error(`milter client: no reply within ${timeout} ms`));
    });
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => {
      this.#lost(new Error('milter client: the milter closed the connection'));
    });
  }

  async negotiate(offer: Offer): Promise<void> {
    const { version = VERSION, actions = ALL_ACTIONS, protocol = ALL_PROTOCOL } = offer;
    const payload = Buffer.alloc(12);
    payload.writeUInt32BE(version, 0);
    payload.writeUInt32BE(actions >>> 0, 4);
    payload.writeUInt32BE(protocol >>> 0, 8);
    this.#queue(frame(command.negotiate, payload));
    await this.#nextFrame();
    const { command: letter, payload: answer } = this.#reader;
    if (letter !== command.negotiate || answer.length < 12) {
      throw new ProtocolError('milter client: negotiate: expected O with at least 12 bytes');
    }
    this.agreed = {
      version: answer.readUInt32BE(0),
      actions: answer.readUInt32BE(4),
      protocol: answer.readUInt32BE(8),
      macros: decodeMacroRequest(answer.subarray(12)),
    };
    const unoffered =
      (this.agreed.actions & ~(actions || V1_ACTIONS)) |
      (this.agreed.protocol & ~(protocol || V1_PROTOCOL));
    if (unoffered !== 0 || this.agreed.version > version) {
      throw new ProtocolError(
        'milter client: negotiate: the milter agreed to what was not offered',
      );
    }
  }

  async open(session: SmtpSession = {}): Promise<ReceivedAnswer> {
    let answer: ReceivedAnswer = 'none';
    if (!this.#agreed(protocolFlag.noConnect)) {
      this.#macros('connect', session.macros);
      this.#queue(frame(command.connect, connectText(session.client ?? LOCAL)));
      answer = await this.#answer(protocolFlag.noReplyConnect);
    }
    if (goesOn(answer) && !this.#agreed(protocolFlag.noHelo)) {
      this.#macros('helo', session.macros);
      this.#queue(frame(command.helo, `${session.helo ?? 'localhost'}\0`));
      answer = await this.#answer(protocolFlag.noReplyHelo);
    }
    this.#session = answer;
    return answer;
  }

  async send(sent: Transaction): Promise<TransactionResult> {
    const session = this.#session ?? (await this.open());
    const recipients: string[] = [];
    const refused = new Map<string, ReceivedAnswer>();
    let bodySent = 0;
    const over = (answer: ReceivedAnswer, stage: TransactionStage): TransactionResult => ({
      answer,
      stage,
      sender: sent.sender ?? SENDER,
      recipients: stage === 'mail' ? (sent.recipients ?? RECIPIENTS) : recipients,
      refused,
      modifications: [],
      quarantine: undefined,
      message: sent.message,
      progress: 0,
      bodySent,
    });
    if (!goesOn(session)) return over(session, 'session');

    if (!this.#agreed(protocolFlag.noMail)) {
      this.#macros('mail', sent.macros);
      this.#queue(frame(command.mail, envelopeText(sent.sender ?? SENDER, sent.senderArgs)));
      const answer = await this.#answer(protocolFlag.noReplyMail);
      if (!goesOn(answer)) return over(answer, 'mail');
    }
    for (const recipient of sent.recipients ?? RECIPIENTS) {
      let answer: ReceivedAnswer = 'none';
      if (!this.#agreed(protocolFlag.noRcpt)) {
        this.#macros('rcpt', sent.macros);
        this.#queue(frame(command.rcpt, envelopeText(recipient)));
        answer = await this.#answer(protocolFlag.noReplyRcpt);
      }
      if (isRefusal(answer)) refused.set(recipient, answer);
      else recipients.push(recipient);
      if (!goesOn(answer) && !isRefusal(answer)) return over(answer, 'rcpt');
    }
    const [firstRefusal] = refused.values();
    if (recipients.length === 0 && firstRefusal !== undefined) {
      this.abort();
      return over(firstRefusal, 'rcpt');
    }
    if (!this.#agreed(protocolFlag.noData) && this.agreed.version > 3) {
      this.#macros('data', sent.macros);
      this.#queue(DATA);
      const answer = await this.#answer(protocolFlag.noReplyData);
      if (!goesOn(answer)) return over(answer, 'data');
    }
    const { fields, body } = splitMessage(sent.message);
    if (!this.#agreed(protocolFlag.noHeaders)) {
      const verbatim = this.#agreed(protocolFlag.leadingSpace);
      for (const { name, raw } of fields) {
        const value = !verbatim && raw.startsWith(' ') ? raw.slice(1) : raw;
        this.#queue(HEADER_MACROS, frame(command.header, `${name}\0${value}\0`));
        const answer = await this.#answer(protocolFlag.noReplyHeader);
        if (!goesOn(answer)) return over(answer, 'header');
      }
    }
    if (!this.#agreed(protocolFlag.noEndOfHeaders)) {
      this.#macros('endOfHeaders', sent.macros);
      this.#queue(END_OF_HEADERS);
      const answer = await this.#answer(protocolFlag.noReplyEndOfHeaders);
      if (!goesOn(answer)) return over(answer, 'endOfHeaders');
    }
    let rest: Buffer = EMPTY;
    if (!this.#agreed(protocolFlag.noBody)) {
      const size = Math.min(sent.bodyChunk ?? MAX_DATA, MAX_DATA);
      for (let at = 0; at < body.length; at += size) {
        const piece = body.subarray(at, at + size);
        bodySent += piece.length;
        if (sent.endWithData && at + size >= body.length) {
          rest = piece;
          break;
        }
        this.#queue(BODY_MACROS, frameHeader(command.body, piece.length), piece);
        const answer = await this.#answer(protocolFlag.noReplyBody);
        if (answer === 'skip') break;
        if (!goesOn(answer)) return over(answer, 'body');
      }
    }
    this.#macros('endOfMessage', sent.macros);
    this.#queue(frameHeader(command.endOfMessage, rest.length), rest);
    return this.#end(over);
  }

  /** Reads modifications, if any, and the final answer. */
  async #end(
    over: (answer: ReceivedAnswer, stage: TransactionStage) => TransactionResult,
  ): Promise<TransactionResult> {
    const verbatim = this.#agreed(protocolFlag.leadingSpace);
    const modifications: Modification[] = [];
    let progress = 0;
    for (;;) {
      await this.#nextFrame();
      const { command: letter, payload } = this.#reader;
      if (letter === replies.progress) {
        progress++;
        continue;
      }
      const modification = decodeModification(letter, payload, verbatim);
      if (modification === undefined) {
        const result = over(decodeAnswer(letter, payload), 'endOfMessage');
        if (modifications.length === 0 && progress === 0) return result;
        return { ...result, ...applied(result, modifications), modifications, progress };
      }
      modifications.push(modification);
    }
  }

  abort(): void {
    this.#queue(ABORT);
    this.#flush();
  }

  quitSession(): void {
    this.#queue(QUIT_NEW_CONNECTION);
    this.#session = undefined;
    this.#flush();
  }

  async quit(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#queue(QUIT);
    this.#flush();
    this.#socket.end();
    await closed;
  }

  destroy(): void {
    // There is no reset on a unix socket: closing it with answers unread comes to the same.
    if (this.#socket.remoteFamily === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #agreed(flag: number): boolean {
    return (this.agreed.protocol & flag) !== 0;
  }

  /** Postfix sends a macro packet at every stage, even an empty one. */
  #macros(stage: MacroStage, macros: Macros | undefined): void {
    let text = STAGE_LETTERS[stage];
    for (const [name, value] of Object.entries(macros?.[stage] ?? {})) {
      text += `${name}\0${value}\0`;
    }
    this.#queue(frame(command.macro, text));
  }

  #queue(...buffers: Buffer[]): void {
    this.#out.push(...buffers);
  }

  /** All commands since the last answer go out together. */
  #flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    this.#socket.cork();
    let small: Buffer[] = [];
    for (const buffer of out) {
      if (buffer.length < 4096) small.push(buffer);
      else {
        this.#socket.write(Buffer.concat(small));
        this.#socket.write(buffer);
        small = [];
      }
    }
    if (small.length > 0) this.#socket.write(Buffer.concat(small));
    this.#socket.uncork();
  }

  /** The answer to what was queued; none is waited for where that flag was agreed. */
  async #answer(noReply: number): Promise<ReceivedAnswer> {
    if (this.#agreed(noReply)) return 'none';
    await this.#nextFrame();
    return decodeAnswer(this.#reader.command, this.#reader.payload);
  }

  async #nextFrame(): Promise<void> {
    this.#flush();
    while (!this.#reader.next()) {
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
      this.#waiter = undefined;
    }
  }

  #lost(error: Error): void {
    this.#error ??= error;
    this.#waiter?.reject(this.#error);
  }
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

function connectText({ hostname, family, address = '', port = 0 }: ConnectInfo): string {
  if (family === 'unknown') return `${hostname}\0U`;
  const letter = { inet: '4', inet6: '6', unix: 'L' }[family];
  const prefix = family === 'inet6' ? 'IPv6:' : '';
  return `${hostname}\0${letter}${String.fromCharCode(port >> 8, port & 255)}${prefix}${address}\0`;
}

function envelopeText(address: string, args: readonly string[] = []): string {
  return `${[address, ...args].join('\0')}\0`;
}

function decodeMacroRequest(payload: Buffer): ClientAgreement['macros'] {
  const macros: Partial<Record<MacroStage, readonly string[]>> = {};
  for (let at = 0; at + 4 < payload.length; ) {
    const number = payload.readUInt32BE(at);
    const end = payload.indexOf(0, at + 4);
    if (end < 0) throw new ProtocolError('milter client: negotiate: expected NUL after macros');
    const stages = Object.keys(macroStage) as MacroStage[];
    const stage = stages.find((each) => macroStage[each] === number);
    const names = payload.toString('latin1', at + 4, end);
    if (stage !== undefined) macros[stage] = names === '' ? [] : names.split(' ');
    at = end + 1;
  }
  return macros;
}

/** What becomes of message and envelope; nothing where the message is not taken. */
function applied(
  result: TransactionResult,
  modifications: readonly Modification[],
): Partial<TransactionResult> {
  if (result.answer !== 'continue' && result.answer !== 'accept') return {};
  let { sender, quarantine } = result;
  let recipients = [...result.recipients];
  for (const modification of modifications) {
    if (modification.type === 'addRecipient') recipients.push(modification.address);
    if (modification.type === 'deleteRecipient') {
      recipients = recipients.filter((each) => each !== modification.address);
    }
    if (modification.type === 'changeSender') sender = modification.address;
    if (modification.type === 'quarantine') quarantine = modification.reason;
  }
  const message = applyModifications(result.message, modifications);
  return { message, sender, recipients, quarantine };
}
