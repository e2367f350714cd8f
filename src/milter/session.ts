import { type Answer, type BodyAnswer, encodeAnswer, isAnswer, isRefusal } from './answer.ts';
import {
  CommandOrder,
  decodeConnect,
  decodeEnvelope,
  decodeHeader,
  decodeText,
  Macros,
} from './command.ts';
import type { AbortReason, Connection, Filter, Hook, Maybe } from './filter.ts';
import type { Frame } from './frame.ts';
import { MilterConnection, MilterMessage } from './message.ts';
import { type Demand, negotiate } from './negotiate.ts';
import type { ConnectionEvent, Limits, MessageLimit } from './options.ts';
import { command, ProtocolError, protocolFlag } from './protocol.ts';
import { goesOn, isOfSession, mayAnswer, noReplyFlag, type Stage } from './stage.ts';

export interface SessionOptions {
  readonly limits: Limits;
  /** The answer if a hook throws. */
  readonly onException: 'accept' | 'tempfail';
  /** Reports an event to the operator. Must not throw. */
  readonly event: (event: ConnectionEvent) => void;
}

/** Buffers to be written to the MTA one after another. They are empty if no reply is due. */
export type Replies = readonly Buffer[];

/**
 * The milter's side of one connection, without the socket. It takes the frames of an MTA, or of a
 * peer that only claims to be one, checks their order, calls the hooks of the filter one at a time,
 * and returns the replies: exactly one where one is due, and none elsewhere.
 */
export class Session<State> {
  readonly #filter: Filter<State>;
  readonly #demand: Demand;
  readonly #options: SessionOptions;
  readonly #isTcp: boolean;
  /** Sends SMFIR_PROGRESS while a hook is running. */
  readonly #sendProgress: () => void;
  readonly #macros = new Macros();
  readonly #order = new CommandOrder();
  /** The agreed SMFIP_* flags. */
  #protocol: number | undefined;
  #connection: MilterConnection;
  /** Whether hooks know this connection, so that `close` is called for it. */
  #isKnown = false;
  #message: MilterMessage<State> | undefined;
  #betweenSessions = false;
  #isRunning = false;
  #isClosed = false;

  constructor(
    filter: Filter<State>,
    demand: Demand,
    options: SessionOptions,
    isTcp: boolean,
    sendProgress: () => void,
  ) {
    this.#filter = filter;
    this.#demand = demand;
    this.#options = options;
    this.#isTcp = isTcp;
    this.#sendProgress = sendProgress;
    this.#connection = new MilterConnection(this.#macros);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The queue id of the current message. */
  get queueId(): string | undefined {
    return this.#message?.queueId;
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  get isNegotiated(): boolean {
    return this.#protocol !== undefined;
  }

  /** Whether the connection is idle after SMFIC_QUIT_NC. */
  get betweenSessions(): boolean {
    return this.#betweenSessions;
  }

  /** Whether the promise of a hook is pending. No frame may be passed until it is settled. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * Handles a frame. Returns a promise if a hook does; it never rejects because of a hook.
   * @throws ProtocolError if the peer does not speak the protocol
   */
  receive(frame: Frame): Replies | Promise<Replies> {
    const letter = frame.command;
    if (letter === command.macro) this.#macros.set(frame.text);
    else if (this.#protocol === undefined) return this.#negotiate(letter, frame.payload);
    else if (letter === command.quitNewConnection) {
      this.#leave('aborted');
      this.#order.enter(letter);
      this.#betweenSessions = true;
    } else if (this.#isInOrder(letter)) {
      this.#betweenSessions = false;
      this.#order.enter(letter);
      this.#macros.begin(letter);
      return this.#dispatch(letter, frame);
    }
    return NOTHING;
  }

  /**
   * Ends the session, since the connection is lost. A running hook learns it from its signal;
   * `abort` and `close` are called when it has returned.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#message?.abort();
    if (!this.#isRunning) this.#leave('disconnected');
  }

  #negotiate(letter: number, payload: Buffer): Replies {
    if (letter !== command.negotiate) {
      throw new ProtocolError(
        `milter: negotiate: command ${String.fromCharCode(letter)}: expected O first`,
      );
    }
    const { protocol, actions, reply } = negotiate(this.#demand, payload, this.#isTcp);
    this.#protocol = protocol;
    this.#order.agree(protocol);
    this.#connection.actions = actions;
    return [reply];
  }

  /** As in libmilter, a command out of order ends the current message, and is often ignored. */
  #isInOrder(letter: number): boolean {
    if (this.#order.allows(letter, this.inMessage)) return true;
    this.#abandon('aborted');
    return this.#order.restart(letter);
  }

  #dispatch(letter: number, frame: Frame): Replies | Promise<Replies> {
    const filter = this.#filter;
    const connection = this.#connection;
    const { limits } = this.#options;
    switch (letter) {
      case command.connect: {
        const client = decodeConnect(frame.text);
        connection.client = client;
        return this.#call('connect', () => filter.connect?.(connection, client));
      }
      case command.helo: {
        const name = decodeText(frame.text, 'helo');
        connection.helo = name;
        return this.#call('helo', () => filter.helo?.(connection, name));
      }
      case command.unknown: {
        const text = decodeText(frame.text, 'unknown');
        return this.#call('unknown', () => filter.unknown?.(connection, text));
      }
      case command.mail: {
        const sender = decodeEnvelope(frame.text, 'mail');
        const message = new MilterMessage<State>(connection);
        this.#message = message;
        return this.#call('mail', () => {
          message.state = filter.begin(connection);
          message.isOpen = true;
          return filter.mail?.(message, sender);
        });
      }
      case command.rcpt: {
        const recipient = decodeEnvelope(frame.text, 'rcpt');
        const exceeded = this.#message?.countRecipient(recipient, limits);
        return this.#ask('rcpt', (message) => filter.rcpt?.(message, recipient), exceeded);
      }
      case command.data:
        return this.#ask('data', (message) => filter.data?.(message));
      case command.header: {
        const held = this.#message?.held;
        if (held !== undefined) return this.#answered('header', held);
        const header = decodeHeader(frame.text, this.#hasAgreed(protocolFlag.leadingSpace));
        const exceeded = this.#message?.countHeader(header, limits);
        return this.#ask('header', (message) => filter.header?.(message, header), exceeded);
      }
      case command.endOfHeaders:
        return this.#ask('endOfHeaders', (message) => filter.endOfHeaders?.(message));
      case command.body: {
        const { payload } = frame;
        if (payload.length === 0) throw new ProtocolError('milter: body: expected data');
        return this.#body('body', payload);
      }
      case command.endOfMessage: {
        const { payload } = frame;
        return payload.length > 0 ? this.#body('bodyAtEnd', payload) : this.#end();
      }
      case command.abort:
        this.#abandon('aborted');
        this.#macros.clearMessage();
        return NOTHING;
      default:
        return NOTHING;
    }
  }

  #body(stage: 'body' | 'bodyAtEnd', piece: Buffer): Replies | Promise<Replies> {
    const exceeded = this.#message?.countBody(piece.length, this.#options.limits);
    if (this.#message?.isSkipping) return this.#answered(stage, 'continue');
    return this.#ask(stage, (message) => this.#filter.body?.(message, piece), exceeded);
  }

  #end(): Replies | Promise<Replies> {
    return this.#ask('endOfMessage', (message) => {
      message.beginModifications(this.#sendProgress);
      return this.#filter.endOfMessage?.(message);
    });
  }

  /** Calls a hook of the message, unless the message has an answer already or exceeds a limit. */
  #ask(
    stage: Stage,
    hook: (message: MilterMessage<State>) => Maybe<BodyAnswer>,
    exceeded?: MessageLimit,
  ): Replies | Promise<Replies> {
    const message = this.#message;
    if (message === undefined) return NOTHING;
    if (exceeded !== undefined && message.held === undefined) {
      const maximum = this.#options.limits[exceeded];
      this.#options.event({ ...this.#place, type: 'over-limit', limit: exceeded, maximum });
      this.#giveUp('over-limit', 'accept');
    }
    const { held } = message;
    return held === undefined
      ? this.#call(stage, () => hook(message))
      : this.#answered(stage, held);
  }

  #call(stage: Stage, hook: () => Maybe<BodyAnswer>): Replies | Promise<Replies> {
    this.#isKnown = true;
    let given: Maybe<BodyAnswer>;
    try {
      given = hook();
    } catch (error) {
      return this.#failed(stage, error);
    }
    return isPromise(given) ? this.#wait(stage, given) : this.#answered(stage, given ?? 'continue');
  }

  async #wait(stage: Stage, hook: Extract<Maybe<BodyAnswer>, Promise<unknown>>): Promise<Replies> {
    this.#isRunning = true;
    const settled = await hook.then(
      (answer) => () => this.#answered(stage, answer ?? 'continue'),
      (error: unknown) => () => this.#failed(stage, error),
    );
    this.#isRunning = false;
    const replies = settled();
    if (this.#isClosed) this.#leave('disconnected');
    return replies;
  }

  /** Gives one legal answer for a hook that threw: now if one is due, else with the next. */
  #failed(stage: Stage, error: unknown): Replies | Promise<Replies> {
    const answer = this.#options.onException;
    const isSilent = this.#isClosed || (isOfSession(stage) && !this.#isDue(stage));
    // A hook may well throw because its signal was aborted.
    const wasStopped = this.#isClosed && error instanceof Error && error.name === 'AbortError';
    if (!wasStopped) {
      const hook = stage === 'bodyAtEnd' ? 'body' : stage;
      const answered = isSilent ? 'nothing' : answer;
      this.#options.event({ ...this.#place, type: 'exception', hook, error, answered });
    }
    if (isSilent) return NOTHING;
    if (!isOfSession(stage)) this.#giveUp('exception', answer);
    return this.#answered(stage, answer);
  }

  /** Turns the answer of a hook into the replies that are due. */
  #answered(stage: Stage, answer: BodyAnswer): Replies | Promise<Replies> {
    if (this.#isClosed) return NOTHING;
    if (!isAnswer(answer) || !mayAnswer(stage, answer)) {
      const given = typeof answer === 'string' ? JSON.stringify(answer) : typeof answer;
      return this.#failed(stage, new TypeError(`milter: ${stage}: ${given} is no answer to this`));
    }
    if (stage === 'endOfMessage') return this.#finish(answer);
    if (stage === 'bodyAtEnd') return goesOn(answer) ? this.#end() : this.#finish(answer);
    if (!isOfSession(stage)) return this.#answerMessage(stage, answer);
    if (this.#isDue(stage)) return [encodeAnswer(answer)];
    if (answer === 'continue') return NOTHING;
    return this.#failed(stage, new TypeError(`milter: ${stage}: a silent hook cannot answer`));
  }

  #answerMessage(stage: Hook, answer: BodyAnswer): Replies {
    const message = this.#message;
    if (message === undefined) return NOTHING;
    if (answer === 'skip') message.isSkipping = true;
    if (!this.#isDue(stage)) {
      if (answer !== 'continue' && answer !== 'skip') message.held = answer;
      return NOTHING;
    }
    // One recipient is refused, unless the answer was given to the whole message before.
    const endsMessage = !goesOn(answer) && !(stage === 'rcpt' && isRefusal(answer));
    if (endsMessage) this.#endMessage();
    const canBeSent = answer !== 'skip' || this.#hasAgreed(protocolFlag.skip);
    return [encodeAnswer(canBeSent ? answer : 'continue')];
  }

  #finish(answer: BodyAnswer): Replies {
    const queue = this.#message?.endModifications();
    const isSent = answer === 'continue' || answer === 'accept';
    const verbatim = this.#hasAgreed(protocolFlag.leadingSpace);
    const replies = (isSent && queue?.encode(verbatim)) || [];
    replies.push(encodeAnswer(answer));
    this.#endMessage();
    return replies;
  }

  #hasAgreed(flag: number): boolean {
    return ((this.#protocol ?? 0) & flag) !== 0;
  }

  /** Whether the MTA waits for a reply to the current command. */
  #isDue(stage: Hook): boolean {
    return !this.#hasAgreed(noReplyFlag(stage));
  }

  #endMessage(): void {
    this.#message = undefined;
    this.#macros.clearMessage();
  }

  /** Ends the message for the filter. The MTA gets the answer as soon as one is due. */
  #giveUp(reason: AbortReason, answer: Answer): void {
    if (this.#message !== undefined) this.#message.held = answer;
    this.#abort(reason);
  }

  /** The MTA has ended the message, if there is one. */
  #abandon(reason: AbortReason): void {
    this.#abort(reason);
    this.#message = undefined;
  }

  /** The MTA has ended the SMTP session. Another one may follow. */
  #leave(reason: AbortReason): void {
    this.#abandon(reason);
    if (this.#isKnown) this.#quietly('close', () => this.#filter.close?.(this.#connection));
    this.#isKnown = false;
    this.#macros.clear();
    this.#connection = new MilterConnection(this.#macros, this.#connection.actions);
  }

  /** Tells the filter, once, that the message ends early. */
  #abort(reason: AbortReason): void {
    const message = this.#message;
    if (message === undefined || !message.isOpen) return;
    message.isOpen = false;
    message.endModifications();
    message.abort();
    this.#quietly('abort', () => this.#filter.abort?.(message, reason));
  }

  /** Calls a hook that cannot answer. */
  #quietly(hook: 'abort' | 'close', call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.event({ ...this.#place, type: 'exception', hook, error, answered: 'nothing' });
    }
  }

  get #place(): { connection: Connection; queueId: string | undefined } {
    return { connection: this.#connection, queueId: this.queueId };
  }
}

const NOTHING: Replies = [];

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
