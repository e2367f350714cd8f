import { type Answer, type BodyAnswer, encodeAnswer, isAnswer, isRefusal } from './answer.ts';
import { decodeConnect, decodeEnvelope, decodeHeader, decodeText } from './command.ts';
import { CurrentMessage } from './current-message.ts';
import type { MessageLimit, MilterEvent } from './event.ts';
import type { AbortReason, Filter, Maybe } from './filter.ts';
import { FilterConnection } from './filter-connection.ts';
import { FilterMessage } from './filter-message.ts';
import { FrameReader, frame } from './frame.ts';
import { Macros } from './macros.ts';
import { type Agreement, type Demand, negotiate } from './negotiate.ts';
import type { Limits } from './options.ts';
import { allowedCommands, bit, phase } from './phase.ts';
import { command, protocolFlag, reply } from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';
import { isOfSession, mayAnswer, NO_REPLY, type Stage } from './stage.ts';

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

export interface SessionOptions {
  readonly limits: Limits;
  /** Milliseconds between two SMFIR_PROGRESS. */
  readonly progress: number;
  readonly onException: 'accept' | 'tempfail';
}

/**
 * The milter's side of one connection, without the socket: bytes in, bytes out, hooks called one after another. It answers
 * where an answer is due and only there, however broken what comes in may be.
 */
export class Session<State> {
  readonly #filter: Filter<State>;
  readonly #demand: Demand;
  readonly #options: SessionOptions;
  readonly #host: SessionHost;
  readonly #reader = new FrameReader();
  readonly #macros = new Macros();
  #agreement: Agreement | undefined;
  #allowed: readonly number[] = [];
  #phase: number = phase.start;
  #smtp = new FilterConnection(this.#macros);
  /** Whether hooks have seen this SMTP session. */
  #seen = false;
  #betweenSessions = false;
  #message: CurrentMessage<State> | undefined;
  #out: Buffer[] = [];
  #waiting = false;
  #blocked = false;
  #closed = false;
  #progressTimer: NodeJS.Timeout | undefined;

  constructor(filter: Filter<State>, demand: Demand, options: SessionOptions, host: SessionHost) {
    this.#filter = filter;
    this.#demand = demand;
    this.#options = options;
    this.#host = host;
  }

  get connection(): FilterConnection {
    return this.#smtp;
  }

  get queueId(): string | undefined {
    return this.#message === undefined ? undefined : this.#smtp.macro('i');
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
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
    return this.#waiting;
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

  /** The connection is gone; a running hook learns it from its signal. The last hooks run when that one is done. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.clear();
    this.#message?.filtered?.abort();
    if (!this.#waiting) this.#leave('disconnected');
  }

  #run(): void {
    try {
      while (!this.#waiting && !this.#blocked && !this.#closed && this.#reader.next()) {
        this.#frame();
      }
    } catch (error) {
      // Hooks do not get here: what they throw is caught where they are called.
      if (!(error instanceof ProtocolError)) throw error;
      this.#event({ type: 'protocol-error', error });
      this.#end();
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    const out = this.#out;
    this.#out = [];
    if (!this.#closed) this.#host.send(out);
  }

  #end(): void {
    this.#flush();
    this.close();
    this.#host.end();
  }

  #frame(): void {
    const { command: letter, payload, first } = this.#reader;
    if (!first) {
      if (this.#phase === phase.body) this.#body('body', payload);
      return;
    }
    const asked = bit(letter);
    if (asked === 0) {
      throw new ProtocolError(
        `milter: frame: command ${JSON.stringify(String.fromCharCode(letter))}: expected one of ABCDEHKLMNOQRTU`,
      );
    }
    if (letter === command.macro) {
      if (payload.length === 0) throw new ProtocolError('milter: macro: expected a stage');
      this.#macros.set(payload);
    } else if (letter === command.quit) this.#end();
    else if (this.#agreement === undefined) this.#negotiate(letter, payload);
    else if (letter === command.quitNewConnection) this.#quitNewConnection();
    else if (this.#isInOrder(asked)) this.#dispatch(letter, payload);
  }

  /** As libmilter: what is out of order gives the message up, and is itself ignored unless it can begin something new. */
  #isInOrder(asked: number): boolean {
    if (((this.#allowed[this.#phase] ?? 0) & asked) !== 0) return true;
    this.#abandon('aborted');
    this.#phase = phase.session;
    return ((this.#allowed[phase.session] ?? 0) & asked) !== 0;
  }

  #negotiate(letter: number, payload: Buffer): void {
    if (letter !== command.negotiate) {
      throw new ProtocolError(
        `milter: negotiate: command ${String.fromCharCode(letter)}: expected O first`,
      );
    }
    this.#agreement = negotiate(this.#demand, payload);
    this.#allowed = allowedCommands(this.#agreement.protocol);
    this.#smtp.actions = this.#agreement.actions;
    this.#phase = phase.open;
    this.#out.push(this.#agreement.reply);
  }

  #quitNewConnection(): void {
    const { actions } = this.#smtp;
    this.#leave('aborted');
    this.#macros.clear();
    this.#smtp = new FilterConnection(this.#macros);
    this.#smtp.actions = actions;
    this.#phase = phase.open;
    this.#betweenSessions = true;
  }

  #dispatch(letter: number, payload: Buffer): void {
    const { limits } = this.#options;
    if (payload.length === 0 && NEEDS_PAYLOAD.has(letter)) {
      throw new ProtocolError(
        `milter: frame: command ${String.fromCharCode(letter)} without data: expected some`,
      );
    }
    switch (letter) {
      case command.connect: {
        const client = decodeConnect(payload);
        this.#enterSession(letter);
        this.#smtp.client = client;
        this.#call('connect', () => this.#filter.connect?.(this.#smtp, client));
        break;
      }
      case command.helo: {
        const name = decodeText(payload, 'helo');
        this.#enterSession(letter);
        this.#smtp.helo = name;
        this.#call('helo', () => this.#filter.helo?.(this.#smtp, name));
        break;
      }
      case command.unknown: {
        const text = decodeText(payload, 'unknown');
        this.#seen = true;
        this.#call('unknown', () => this.#filter.unknown?.(this.#smtp, text));
        break;
      }
      case command.mail: {
        const sender = decodeEnvelope(payload, 'mail');
        this.#enterSession(letter);
        this.#phase = phase.mail;
        const message = new CurrentMessage<State>();
        this.#message = message;
        this.#call('mail', () => {
          const filtered = new FilterMessage(this.#smtp, this.#filter.begin(this.#smtp));
          message.filtered = filtered;
          return this.#filter.mail?.(filtered, sender);
        });
        break;
      }
      case command.rcpt: {
        const recipient = decodeEnvelope(payload, 'rcpt');
        this.#phase = phase.rcpt;
        this.#macros.clearAfter(letter);
        const over = this.#message?.countRecipient(limits);
        this.#ask('rcpt', (message) => this.#filter.rcpt?.(message, recipient), over);
        break;
      }
      case command.data:
        this.#phase = phase.data;
        this.#ask('data', (message) => this.#filter.data?.(message));
        break;
      case command.header: {
        const header = decodeHeader(payload, this.#agreed(protocolFlag.leadingSpace));
        this.#phase = phase.header;
        const over = this.#message?.countHeader(payload.length, limits);
        this.#ask('header', (message) => this.#filter.header?.(message, header), over);
        break;
      }
      case command.endOfHeaders:
        this.#phase = phase.endOfHeaders;
        this.#ask('endOfHeaders', (message) => this.#filter.endOfHeaders?.(message));
        break;
      case command.body:
        this.#phase = phase.body;
        this.#body('body', payload);
        break;
      case command.endOfMessage:
        this.#phase = phase.body;
        if (payload.length > 0) this.#body('bodyAtEnd', payload);
        else this.#endOfMessage();
        break;
      case command.abort:
        this.#abandon('aborted');
        this.#macros.clearMessage();
        this.#phase = phase.session;
        break;
    }
  }

  #enterSession(letter: number): void {
    this.#phase = phase.session;
    this.#seen = true;
    this.#betweenSessions = false;
    this.#macros.clearAfter(letter);
  }

  /** A piece of SMFIC_BODY, or the data of SMFIC_BODYEOB. */
  #body(stage: 'body' | 'bodyAtEnd', piece: Buffer): void {
    const over = this.#message?.countBody(piece.length, this.#options.limits);
    if (this.#message?.skipping) this.#answered(stage, 'continue');
    else this.#ask(stage, (message) => this.#filter.body?.(message, piece), over);
  }

  #endOfMessage(): void {
    this.#ask('endOfMessage', (message) => {
      message.openQueue(() => this.#progress());
      return this.#filter.endOfMessage?.(message);
    });
  }

  /** Calls a hook of the message, unless its answer is known already, or the message has just become too large. */
  #ask(
    stage: Stage,
    hook: (message: FilterMessage<State>) => Maybe<BodyAnswer>,
    over?: MessageLimit,
  ): void {
    const message = this.#message;
    if (message?.held === undefined && over !== undefined) this.#pass(over);
    const filtered = message?.filtered;
    if (message?.held !== undefined) this.#answered(stage, message.held);
    else if (filtered !== undefined) this.#call(stage, () => hook(filtered));
  }

  /** Too much to be held in memory: the message goes through as it is. */
  #pass(limit: MessageLimit): void {
    this.#event({ type: 'over-limit', limit, maximum: this.#options.limits[limit] });
    this.#giveUp('over-limit', 'accept');
  }

  /** Goes on at once where the hook gives no promise. */
  #call(stage: Stage, hook: () => Maybe<BodyAnswer>): void {
    let given: Maybe<BodyAnswer>;
    try {
      given = hook();
    } catch (error) {
      this.#threw(stage, error);
      return;
    }
    if (isPromise(given)) this.#wait(stage, given);
    else this.#answered(stage, given ?? 'continue');
  }

  #wait(stage: Stage, promise: Extract<Maybe<BodyAnswer>, Promise<unknown>>): void {
    this.#waiting = true;
    if (stage === 'endOfMessage') {
      this.#progressTimer = setInterval(() => this.#progress(), this.#options.progress);
    }
    promise.then(
      (answer) => this.#resume(() => this.#answered(stage, answer ?? 'continue')),
      (error: unknown) => this.#resume(() => this.#threw(stage, error)),
    );
  }

  #resume(goOn: () => void): void {
    clearInterval(this.#progressTimer);
    this.#waiting = false;
    goOn();
    if (this.#closed) this.#leave('disconnected');
    this.#run();
    this.#host.settled();
  }

  #progress(): void {
    if (this.#blocked || this.#closed) return;
    this.#out.push(PROGRESS);
    this.#flush();
  }

  /** One legal answer whatever happens: now where one is due, else with the next. */
  #threw(stage: Stage, error: unknown): void {
    const answer = this.#options.onException;
    const nothing = this.#closed || (isOfSession(stage) && !this.#isDue(stage));
    // A hook that was told to stop may well do so by throwing.
    const wasStopped = this.#closed && error instanceof Error && error.name === 'AbortError';
    if (!wasStopped) {
      const hook = stage === 'bodyAtEnd' ? 'body' : stage;
      this.#event({ type: 'exception', hook, error, answered: nothing ? 'nothing' : answer });
    }
    if (nothing) return;
    if (!isOfSession(stage)) this.#giveUp('exception', answer);
    this.#answered(stage, answer);
  }

  #answered(stage: Stage, answer: BodyAnswer): void {
    if (this.#closed) return;
    if (!isAnswer(answer) || !mayAnswer(stage, answer)) {
      this.#threw(stage, new TypeError(`milter: ${stage}: ${String(answer)} is no answer to this`));
    } else if (isOfSession(stage)) this.#answerSession(stage, answer);
    else if (stage === 'endOfMessage') this.#finish(answer);
    else if (stage === 'bodyAtEnd') {
      if (answer === 'continue' || answer === 'skip') this.#endOfMessage();
      else this.#finish(answer);
    } else this.#answerMessage(stage, answer);
  }

  #answerSession(stage: Stage, answer: BodyAnswer): void {
    if (this.#isDue(stage)) this.#out.push(encodeAnswer(answer));
    else if (answer !== 'continue') {
      this.#threw(stage, new TypeError(`milter: ${stage}: a silent hook cannot answer`));
    }
  }

  #answerMessage(stage: Stage, answer: BodyAnswer): void {
    const message = this.#message;
    if (message === undefined) return;
    if (answer === 'skip') message.skipping = true;
    const goesOn = answer === 'continue' || answer === 'skip';
    if (!this.#isDue(stage)) {
      if (!goesOn) message.held = answer;
      return;
    }
    const mayBeSent = answer !== 'skip' || this.#agreed(protocolFlag.skip);
    this.#out.push(encodeAnswer(mayBeSent ? answer : 'continue'));
    // A refused recipient is one of several; where the answer means the message, it is given to the others too.
    if (!goesOn && !(stage === 'rcpt' && isRefusal(answer))) this.#endMessage();
  }

  #finish(answer: BodyAnswer): void {
    const queue = this.#message?.filtered?.closeQueue();
    if (queue !== undefined && (answer === 'continue' || answer === 'accept')) {
      for (const buffer of queue.encode(this.#agreed(protocolFlag.leadingSpace))) {
        this.#out.push(buffer);
      }
    }
    this.#out.push(encodeAnswer(answer));
    this.#endMessage();
    // A new body may be large: the MTA must take it before the next message is looked at.
    this.#flush();
  }

  #agreed(flag: number): boolean {
    return ((this.#agreement?.protocol ?? 0) & flag) !== 0;
  }

  /** Whether the MTA waits for an answer to the command in hand. */
  #isDue(stage: Stage): boolean {
    if (stage === 'body' && !this.#reader.last) return false;
    return !this.#agreed(NO_REPLY[stage]);
  }

  #endMessage(): void {
    this.#message = undefined;
    this.#phase = phase.session;
    this.#macros.clearMessage();
  }

  /** The filter is done with the message; the MTA will be when it has got that answer. */
  #giveUp(reason: AbortReason, answer: Answer): void {
    const message = this.#message;
    if (message === undefined) return;
    message.held = answer;
    const { filtered } = message;
    if (filtered === undefined || message.givenUp) return;
    message.givenUp = true;
    filtered.closeQueue();
    filtered.abort();
    this.#quietly('abort', () => this.#filter.abort?.(filtered, reason));
  }

  /** The MTA is done with the message. */
  #abandon(reason: AbortReason): void {
    this.#giveUp(reason, 'accept');
    this.#message = undefined;
  }

  #leave(reason: AbortReason): void {
    this.#abandon(reason);
    if (!this.#seen) return;
    this.#seen = false;
    this.#quietly('close', () => this.#filter.close?.(this.#smtp));
  }

  /** For hooks without an answer. */
  #quietly(hook: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#event({ type: 'exception', hook, error, answered: 'nothing' });
    }
  }

  #event(event: WithoutPlace<MilterEvent>): void {
    this.#host.event({ ...event, connection: this.#smtp, queueId: this.queueId });
  }
}

/** An event of a connection, before it is said which. */
type WithoutPlace<Event> = Event extends { connection: unknown }
  ? Omit<Event, 'connection' | 'queueId'>
  : never;

const NEEDS_PAYLOAD: ReadonlySet<number> = new Set([
  command.body,
  command.connect,
  command.header,
  command.helo,
  command.mail,
  command.rcpt,
  command.unknown,
]);

const PROGRESS = frame(reply.progress);

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
