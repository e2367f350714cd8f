import { decodeConnect, decodeEnvelope, decodeHeader, decodeText } from './command.ts';
import { Conversation, type ConversationHost, type ConversationOptions } from './conversation.ts';
import type { MilterEvent } from './event.ts';
import type { Connection, Filter } from './filter.ts';
import { FrameReader } from './frame.ts';
import { Macros } from './macros.ts';
import { type Agreement, type Demand, negotiate } from './negotiate.ts';
import { allowedCommands, bit, phase } from './phase.ts';
import { command, protocolFlag } from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';

/** What a session needs of its surroundings. */
export interface SessionHost {
  /** To the MTA, in this order, in as few writes as possible. */
  send(buffers: readonly Buffer[]): void;
  /** The connection is to be closed, after what was sent. */
  end(): void;
  /** A hook that was waited for has come back, and all that could be handled after it was. */
  settled(): void;
  event(event: MilterEvent): void;
}

/**
 * The milter's side of one connection, without the socket: bytes in, bytes out. Takes from an MTA, or from somebody
 * who is none, what comes in order, and tells the filter.
 */
export class Session<State> implements ConversationHost {
  readonly #demand: Demand;
  readonly #host: SessionHost;
  readonly #reader = new FrameReader();
  readonly #macros = new Macros();
  readonly #conversation: Conversation<State>;
  #agreement: Agreement | undefined;
  #allowed: readonly number[] = [];
  #phase: number = phase.start;
  #betweenSessions = false;
  #out: Buffer[] = [];
  #blocked = false;
  #closed = false;

  constructor(
    filter: Filter<State>,
    demand: Demand,
    options: ConversationOptions,
    host: SessionHost,
  ) {
    this.#demand = demand;
    this.#host = host;
    this.#conversation = new Conversation(filter, options, this.#macros, this);
  }

  get connection(): Connection {
    return this.#conversation.connection;
  }

  get queueId(): string | undefined {
    return this.#conversation.queueId;
  }

  get inMessage(): boolean {
    return this.#conversation.inMessage;
  }

  get negotiated(): boolean {
    return this.#agreement !== undefined;
  }

  /** After SMFIC_QUIT_NC: the connection is there, and nobody uses it. */
  get betweenSessions(): boolean {
    return this.#betweenSessions;
  }

  /** Whether a hook's promise is being waited for: nothing more is handled until it is settled. */
  get waiting(): boolean {
    return this.#conversation.waiting;
  }

  /** Bytes received and not handled yet. */
  get pending(): number {
    return this.#reader.pending;
  }

  /** Bytes from the MTA; the buffer now belongs to the session. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#reader.push(chunk);
    this.#run();
  }

  /** Stops handling what comes in until `unblock`: the MTA does not read what it is sent. */
  block(): void {
    this.#blocked = true;
  }

  unblock(): void {
    this.#blocked = false;
    this.#run();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.clear();
    this.#conversation.close();
  }

  push(answer: Buffer): void {
    this.#out.push(answer);
  }

  flush(): void {
    if (this.#out.length === 0) return;
    const out = this.#out;
    this.#out = [];
    if (!this.#closed) this.#host.send(out);
  }

  resumed(): void {
    this.#run();
    this.#host.settled();
  }

  event(event: MilterEvent): void {
    this.#host.event(event);
  }

  #run(): void {
    try {
      while (!this.waiting && !this.#blocked && !this.#closed && this.#reader.next()) {
        this.#frame();
      }
    } catch (error) {
      // Hooks do not get here: what they throw is caught where they are called.
      if (!(error instanceof ProtocolError)) throw error;
      const { connection, queueId } = this;
      this.#host.event({ type: 'protocol-error', connection, error, queueId });
      this.#end();
    }
    this.flush();
  }

  #end(): void {
    this.flush();
    this.close();
    this.#host.end();
  }

  #frame(): void {
    const { command: letter, payload, first, last } = this.#reader;
    if (!first) {
      if (this.#phase === phase.body) this.#conversation.body(payload, last);
      return;
    }
    const asked = bit(letter);
    if (asked === 0) {
      throw new ProtocolError(
        `milter: frame: command ${JSON.stringify(String.fromCharCode(letter))}: expected one of ABCDEHKLMNOQRTU`,
      );
    }
    if (letter === command.macro) this.#macros.set(payload);
    else if (letter === command.quit) this.#end();
    else if (this.#agreement === undefined) this.#negotiate(letter, payload);
    else if (letter === command.quitNewConnection) {
      this.#conversation.leave('aborted');
      this.#phase = phase.open;
      this.#betweenSessions = true;
    } else if (this.#isInOrder(asked)) this.#dispatch(letter, payload, last);
  }

  #negotiate(letter: number, payload: Buffer): void {
    if (letter !== command.negotiate) {
      throw new ProtocolError(
        `milter: negotiate: command ${String.fromCharCode(letter)}: expected O first`,
      );
    }
    this.#agreement = negotiate(this.#demand, payload);
    this.#allowed = allowedCommands(this.#agreement.protocol);
    this.#conversation.agree(this.#agreement);
    this.#phase = phase.open;
    this.push(this.#agreement.reply);
  }

  /** As libmilter: what is out of order gives the message up, and is itself ignored unless it can begin something new. */
  #isInOrder(asked: number): boolean {
    if (this.#phase > phase.session && !this.inMessage) this.#phase = phase.session;
    if (((this.#allowed[this.#phase] ?? 0) & asked) !== 0) return true;
    this.#conversation.abandon('aborted');
    this.#phase = phase.session;
    return ((this.#allowed[phase.session] ?? 0) & asked) !== 0;
  }

  #dispatch(letter: number, payload: Buffer, last: boolean): void {
    const conversation = this.#conversation;
    switch (letter) {
      case command.connect:
        this.#enter(phase.session, letter);
        conversation.connect(decodeConnect(payload));
        break;
      case command.helo:
        this.#enter(phase.session, letter);
        conversation.helo(decodeText(payload, 'helo'));
        break;
      case command.unknown:
        conversation.unknown(decodeText(payload, 'unknown'));
        break;
      case command.mail:
        this.#enter(phase.mail, letter);
        conversation.mail(decodeEnvelope(payload, 'mail'));
        break;
      case command.rcpt:
        this.#enter(phase.rcpt, letter);
        conversation.rcpt(decodeEnvelope(payload, 'rcpt'));
        break;
      case command.data:
        this.#phase = phase.data;
        conversation.data();
        break;
      case command.header:
        this.#phase = phase.header;
        conversation.header(decodeHeader(payload, this.#isVerbatim));
        break;
      case command.endOfHeaders:
        this.#phase = phase.endOfHeaders;
        conversation.endOfHeaders();
        break;
      case command.body:
        if (payload.length === 0) throw new ProtocolError('milter: body: expected data');
        this.#phase = phase.body;
        conversation.body(payload, last);
        break;
      case command.endOfMessage:
        this.#phase = phase.body;
        conversation.endOfMessage(payload);
        break;
      case command.abort:
        conversation.abandon('aborted');
        this.#macros.clearMessage();
        this.#phase = phase.session;
        break;
    }
  }

  get #isVerbatim(): boolean {
    return ((this.#agreement?.protocol ?? 0) & protocolFlag.leadingSpace) !== 0;
  }

  #enter(to: number, letter: number): void {
    this.#phase = to;
    this.#betweenSessions = false;
    this.#macros.clearAfter(letter);
  }
}
