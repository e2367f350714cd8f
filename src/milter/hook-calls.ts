import { type Answer, type BodyAnswer, encodeAnswer, isAnswer, isRefusal } from './answer.ts';
import type {
  AbortReason,
  Action,
  ConnectInfo,
  EnvelopeAddress,
  Filter,
  Header,
  Hook,
  Maybe,
} from './filter.ts';
import type { Macros } from './macros.ts';
import { MilterConnection, MilterMessage } from './message.ts';
import type { ConnectionEvent, Limits, MessageLimit } from './options.ts';
import { protocolFlag } from './protocol.ts';
import { goesOn, isOfSession, mayAnswer, noReplyFlag, type Stage } from './stage.ts';

export interface HookOptions {
  readonly limits: Limits;
  /** The answer if a hook throws. */
  readonly onException: 'accept' | 'tempfail';
  /** Reports an event to the operator. Must not throw. */
  readonly event: (event: ConnectionEvent) => void;
}

/** Where an event happens: on a connection, in the message with this queue id. */
export type Place = Pick<ConnectionEvent, 'connection' | 'queueId'>;

/** Buffers to be written to the MTA one after another. They are empty if no reply is due. */
export type Replies = readonly Buffer[];

export const NOTHING: Replies = [];

/**
 * Calls the hooks of a filter for one connection, one at a time, and turns what they return into
 * replies: exactly one where one is due, and none elsewhere. The methods are the stages, in the
 * order of an SMTP session.
 */
export class HookCalls<State> {
  readonly #filter: Filter<State>;
  readonly #options: HookOptions;
  readonly #macros: Macros;
  /** Sends SMFIR_PROGRESS while a hook is running. */
  readonly #sendProgress: () => void;
  /** The agreed SMFIP_* flags. */
  #protocol = 0;
  #connection: MilterConnection;
  /** Whether hooks know this connection, so that `close` is called for it. */
  #isKnown = false;
  #message: MilterMessage<State> | undefined;
  #isRunning = false;
  #isClosed = false;

  constructor(
    filter: Filter<State>,
    options: HookOptions,
    macros: Macros,
    sendProgress: () => void,
  ) {
    this.#filter = filter;
    this.#options = options;
    this.#macros = macros;
    this.#sendProgress = sendProgress;
    this.#connection = new MilterConnection(macros);
  }

  get place(): Place {
    return { connection: this.#connection, queueId: this.#message?.queueId };
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  /** Whether the promise of a hook is pending. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Takes over what was negotiated. @param protocol SMFIP_* flags */
  agree(protocol: number, actions: ReadonlySet<Action>): void {
    this.#protocol = protocol;
    this.#connection.actions = actions;
  }

  connect(client: ConnectInfo): Replies | Promise<Replies> {
    const connection = this.#connection;
    connection.client = client;
    return this.#call('connect', () => this.#filter.connect?.(connection, client));
  }

  helo(name: string): Replies | Promise<Replies> {
    const connection = this.#connection;
    connection.helo = name;
    return this.#call('helo', () => this.#filter.helo?.(connection, name));
  }

  unknown(text: string): Replies | Promise<Replies> {
    return this.#call('unknown', () => this.#filter.unknown?.(this.#connection, text));
  }

  mail(sender: EnvelopeAddress): Replies | Promise<Replies> {
    const connection = this.#connection;
    const message = new MilterMessage<State>(connection, this.#options.limits);
    this.#message = message;
    return this.#call('mail', () => {
      message.state = this.#filter.begin(connection);
      message.isOpen = true;
      return this.#filter.mail?.(message, sender);
    });
  }

  rcpt(recipient: EnvelopeAddress): Replies | Promise<Replies> {
    const exceeded = this.#message?.limits.recipient(recipient.address);
    return this.#ask('rcpt', (message) => this.#filter.rcpt?.(message, recipient), exceeded);
  }

  data(): Replies | Promise<Replies> {
    return this.#ask('data', (message) => this.#filter.data?.(message));
  }

  /** @param decode is not called if the message has an answer already */
  header(decode: () => Header): Replies | Promise<Replies> {
    const held = this.#message?.held;
    if (held !== undefined) return this.#answered('header', held);
    const header = decode();
    const exceeded = this.#message?.limits.header(header.name, header.raw);
    return this.#ask('header', (message) => this.#filter.header?.(message, header), exceeded);
  }

  endOfHeaders(): Replies | Promise<Replies> {
    return this.#ask('endOfHeaders', (message) => this.#filter.endOfHeaders?.(message));
  }

  body(piece: Buffer): Replies | Promise<Replies> {
    return this.#body('body', piece);
  }

  /** @param rest the last piece of the body, if SMFIC_BODYEOB carries it; else empty */
  endOfMessage(rest: Buffer): Replies | Promise<Replies> {
    return rest.length > 0 ? this.#body('bodyAtEnd', rest) : this.#end();
  }

  /** Ends everything, since the connection is lost. */
  disconnect(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#message?.abort();
    if (!this.#isRunning) this.leave('disconnected');
  }

  /** The MTA has ended the SMTP session. Another one may follow. */
  leave(reason: AbortReason): void {
    this.abandon(reason);
    if (this.#isKnown) this.#quietly('close', () => this.#filter.close?.(this.#connection));
    this.#isKnown = false;
    this.#macros.clear();
    this.#connection = new MilterConnection(this.#macros, this.#connection.actions);
  }

  /** The MTA has ended the message, if there is one. */
  abandon(reason: AbortReason): void {
    this.#abort(reason);
    this.#message = undefined;
  }

  #body(stage: 'body' | 'bodyAtEnd', piece: Buffer): Replies | Promise<Replies> {
    const exceeded = this.#message?.countBody(piece.length);
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
      this.#options.event({ ...this.place, type: 'over-limit', limit: exceeded, maximum });
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
    if (this.#isClosed) this.leave('disconnected');
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
      this.#options.event({ ...this.place, type: 'exception', hook, error, answered });
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
      return this.#failed(
        stage,
        new TypeError(`milter: ${stage}: ${given} is not an answer to this hook`),
      );
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
    return (this.#protocol & flag) !== 0;
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
      this.#options.event({ ...this.place, type: 'exception', hook, error, answered: 'nothing' });
    }
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
