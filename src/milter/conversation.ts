import { type Answer, type BodyAnswer, encodeAnswer, isAnswer, isRefusal } from './answer.ts';
import { CurrentMessage } from './current-message.ts';
import type { MessageLimit, MilterEvent } from './event.ts';
import type { AbortReason, ConnectInfo, EnvelopeAddress, Filter, Header, Maybe } from './filter.ts';
import { FilterConnection } from './filter-connection.ts';
import { FilterMessage } from './filter-message.ts';
import { frame } from './frame.ts';
import type { Macros } from './macros.ts';
import type { Agreement } from './negotiate.ts';
import type { Limits } from './options.ts';
import { protocolFlag, reply } from './protocol.ts';
import { isOfSession, mayAnswer, NO_REPLY, type Stage } from './stage.ts';

/** Where a conversation's answers go. */
export interface ConversationHost {
  push(answer: Buffer): void;
  flush(): void;
  /** A hook that was waited for has come back and is answered: what came meanwhile can be handled. */
  resumed(): void;
  event(event: MilterEvent): void;
}

export interface ConversationOptions {
  readonly limits: Limits;
  /** Milliseconds between two SMFIR_PROGRESS. */
  readonly progress: number;
  readonly onException: 'accept' | 'tempfail';
}

/**
 * The filter's side of a session: what the MTA has said, in order and decoded, goes to the hooks, and their
 * answers to the MTA; exactly one where one is due, and none elsewhere. One hook runs at a time.
 */
export class Conversation<State> {
  readonly #filter: Filter<State>;
  readonly #options: ConversationOptions;
  readonly #host: ConversationHost;
  readonly #macros: Macros;
  #agreement: Agreement | undefined;
  #connection: FilterConnection;
  /** Whether hooks have seen this connection, so that it must be closed for them. */
  #seen = false;
  #message: CurrentMessage<State> | undefined;
  /** Whether the piece of the body in hand is the last of its packet. */
  #lastPiece = true;
  #waiting = false;
  #closed = false;
  #progressTimer: NodeJS.Timeout | undefined;

  constructor(
    filter: Filter<State>,
    options: ConversationOptions,
    macros: Macros,
    host: ConversationHost,
  ) {
    this.#filter = filter;
    this.#options = options;
    this.#macros = macros;
    this.#host = host;
    this.#connection = new FilterConnection(macros);
  }

  get connection(): FilterConnection {
    return this.#connection;
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  get queueId(): string | undefined {
    return this.inMessage ? this.#connection.macro('i') : undefined;
  }

  /** Whether a hook's promise is being waited for: until it is settled, nothing may be said to the filter. */
  get waiting(): boolean {
    return this.#waiting;
  }

  agree(agreement: Agreement): void {
    this.#agreement = agreement;
    this.#connection.actions = agreement.actions;
  }

  connect(client: ConnectInfo): void {
    this.#seen = true;
    this.#connection.client = client;
    this.#call('connect', () => this.#filter.connect?.(this.#connection, client));
  }

  helo(name: string): void {
    this.#seen = true;
    this.#connection.helo = name;
    this.#call('helo', () => this.#filter.helo?.(this.#connection, name));
  }

  unknown(text: string): void {
    this.#seen = true;
    this.#call('unknown', () => this.#filter.unknown?.(this.#connection, text));
  }

  mail(sender: EnvelopeAddress): void {
    this.#seen = true;
    const message = new CurrentMessage<State>();
    this.#message = message;
    this.#call('mail', () => {
      const state = this.#filter.begin(this.#connection);
      message.filtered = new FilterMessage(this.#connection, state);
      return this.#filter.mail?.(message.filtered, sender);
    });
  }

  rcpt(recipient: EnvelopeAddress): void {
    const over = this.#message?.countRecipient(recipient, this.#options.limits);
    this.#ask('rcpt', (message) => this.#filter.rcpt?.(message, recipient), over);
  }

  data(): void {
    this.#ask('data', (message) => this.#filter.data?.(message));
  }

  header(header: Header): void {
    const over = this.#message?.countHeader(header, this.#options.limits);
    this.#ask('header', (message) => this.#filter.header?.(message, header), over);
  }

  endOfHeaders(): void {
    this.#ask('endOfHeaders', (message) => this.#filter.endOfHeaders?.(message));
  }

  /** A piece of SMFIC_BODY. */
  body(piece: Buffer, last: boolean): void {
    this.#lastPiece = last;
    this.#body('body', piece);
  }

  /** SMFIC_BODYEOB, with the data it may carry. */
  endOfMessage(data: Buffer): void {
    if (data.length > 0) this.#body('bodyAtEnd', data);
    else this.#end();
  }

  /** The MTA is done with the message, if there is one. */
  abandon(reason: AbortReason): void {
    this.#tell(reason);
    this.#message = undefined;
  }

  /** The MTA is done with the SMTP session; another may follow. */
  leave(reason: AbortReason): void {
    this.abandon(reason);
    if (this.#seen) this.#quietly('close', () => this.#filter.close?.(this.#connection));
    this.#seen = false;
    this.#macros.clear();
    this.#connection = new FilterConnection(this.#macros);
    if (this.#agreement !== undefined) this.#connection.actions = this.#agreement.actions;
  }

  /** The MTA is gone. A running hook learns it from its signal, and the last hooks wait for it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#message?.filtered?.abort();
    if (!this.#waiting) this.leave('disconnected');
  }

  #body(stage: 'body' | 'bodyAtEnd', piece: Buffer): void {
    const message = this.#message;
    const over = message?.countBody(piece.length, this.#options.limits);
    if (message?.skipping) this.#answered(stage, 'continue');
    else this.#ask(stage, (filtered) => this.#filter.body?.(filtered, piece), over);
  }

  #end(): void {
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
    if (message === undefined) return;
    if (message.held === undefined && over !== undefined) this.#pass(over);
    const { filtered, held } = message;
    if (held !== undefined) this.#answered(stage, held);
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
    if (stage === 'endOfMessage' || stage === 'bodyAtEnd') {
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
    if (this.#closed) this.leave('disconnected');
    this.#host.resumed();
  }

  #progress(): void {
    if (this.#closed) return;
    this.#host.push(PROGRESS);
    this.#host.flush();
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
      const what = typeof answer === 'string' ? JSON.stringify(answer) : typeof answer;
      this.#threw(stage, new TypeError(`milter: ${stage}: ${what} is no answer to this`));
    } else if (isOfSession(stage)) this.#answerSession(stage, answer);
    else if (stage === 'endOfMessage') this.#finish(answer);
    else if (stage === 'bodyAtEnd') {
      if (answer === 'continue' || answer === 'skip') this.#end();
      else this.#finish(answer);
    } else this.#answerMessage(stage, answer);
  }

  #answerSession(stage: Stage, answer: BodyAnswer): void {
    if (this.#isDue(stage)) this.#host.push(encodeAnswer(answer));
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
    this.#host.push(encodeAnswer(mayBeSent ? answer : 'continue'));
    // A refused recipient is one of several; where the answer means the message, it is given to the others too.
    if (!goesOn && !(stage === 'rcpt' && isRefusal(answer))) this.#endMessage();
  }

  #finish(answer: BodyAnswer): void {
    const queue = this.#message?.filtered?.closeQueue();
    if (queue !== undefined && (answer === 'continue' || answer === 'accept')) {
      const frames = queue.encode(this.#agreed(protocolFlag.leadingSpace));
      for (const buffer of frames) this.#host.push(buffer);
    }
    this.#host.push(encodeAnswer(answer));
    this.#endMessage();
    // A new body may be large: the MTA must take it before the next message is looked at.
    this.#host.flush();
  }

  #agreed(flag: number): boolean {
    return ((this.#agreement?.protocol ?? 0) & flag) !== 0;
  }

  /** Whether the MTA waits for an answer to the command in hand. */
  #isDue(stage: Stage): boolean {
    if (stage === 'body' && !this.#lastPiece) return false;
    return !this.#agreed(NO_REPLY[stage]);
  }

  #endMessage(): void {
    this.#message = undefined;
    this.#macros.clearMessage();
  }

  /** The filter is done with the message; the MTA will be when it has got that answer. */
  #giveUp(reason: AbortReason, answer: Answer): void {
    if (this.#message !== undefined) this.#message.held = answer;
    this.#tell(reason);
  }

  /** Tells the filter, once, that it will not see the end of the message. */
  #tell(reason: AbortReason): void {
    const message = this.#message;
    const filtered = message?.filtered;
    if (message === undefined || filtered === undefined || message.givenUp) return;
    message.givenUp = true;
    filtered.closeQueue();
    filtered.abort();
    this.#quietly('abort', () => this.#filter.abort?.(filtered, reason));
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
    this.#host.event({ ...event, connection: this.#connection, queueId: this.queueId });
  }
}

/** An event of a connection, before it is said which. */
type WithoutPlace<Event> = Event extends { connection: unknown }
  ? Omit<Event, 'connection' | 'queueId'>
  : never;

const PROGRESS = frame(reply.progress);

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
