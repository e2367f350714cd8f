import type { BodyAnswer } from './answer.ts';
import { decodeConnect, decodeEnvelope, decodeHeader, decodeText } from './command.ts';
import type { MessageLimit, MilterEvent } from './event.ts';
import type { AbortReason, Filter, Maybe } from './filter.ts';
import { FrameReader, frame } from './frame.ts';
import { Macros } from './macros.ts';
import { type Agreement, type Demand, negotiate } from './negotiate.ts';
import type { Limits } from './options.ts';
import { allowedCommands, bit, phase } from './phase.ts';
import { command, protocolFlag, reply } from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';
import type { Reply } from './reply-code.ts';
import { SmtpSession, Transaction } from './transaction.ts';

/** What a session needs of its surroundings. */
export interface SessionHost {
  /** To the MTA, in this order, in as few writes as possible. */
  send(buffers: readonly Buffer[]): void;
  /** The connection is to be closed, after what was sent. */
  end(): void;
  /** A hook that was waited for has come back, and `resume` has run. */
  settled(): void;
  event(event: MilterEvent): void;
}

export interface SessionOptions {
  readonly limits: Limits;
  /** Milliseconds between two SMFIR_PROGRESS. */
  readonly progress: number;
  readonly onException: 'accept' | 'tempfail';
}

/** Where in a session a hook was called; `bodyAtEnd` is data that came with SMFIC_BODYEOB. */
type Stage =
  | 'connect'
  | 'helo'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'header'
  | 'endOfHeaders'
  | 'body'
  | 'bodyAtEnd'
  | 'endOfMessage'
  | 'unknown';

/**
 * The milter's side of one connection, without the socket: bytes in, bytes out, hooks called one after another. Answers
 * where one is due and only there, however broken what comes in may be.
 */
export class Session<State> {
  readonly #filter: Filter<State>;
  readonly #demand: Demand;
  readonly #options: SessionOptions;
  readonly #host: SessionHost;
  readonly #reader = new FrameReader();
  readonly #macros = new Macros();
  #out: Buffer[] = [];
  #agreement: Agreement | undefined;
  #allowed: readonly number[] = [];
  #phase: number = phase.start;
  #smtp: SmtpSession;
  /** Whether hooks have seen this SMTP session. */
  #seen = false;
  #message: Transaction<State> | undefined;
  /** A hook's promise is being waited for. */
  #waiting = false;
  #closed = false;
  #afterQuit = false;
  #givenUp = false;
  #blocked = false;
  /** An answer that a silent stage could not give; covers the message. */
  #held: Exclude<BodyAnswer, 'skip'> | undefined;
  /** Pieces of the current SMFIC_BODY go to the hook; none of the whole body any more. */
  #takesPieces = false;
  #skipping = false;
  #headerCount = 0;
  #headerBytes = 0;
  #recipients = 0;
  #bodyBytes = 0;
  #progressTimer: NodeJS.Timeout | undefined;

  constructor(filter: Filter<State>, demand: Demand, options: SessionOptions, host: SessionHost) {
    this.#filter = filter;
    this.#demand = demand;
    this.#options = options;
    this.#host = host;
    this.#smtp = new SmtpSession(this.#macros);
  }

  get connection(): SmtpSession {
    return this.#smtp;
  }

  get queueId(): string | undefined {
    return this.#message?.queueId;
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  get negotiated(): boolean {
    return this.#agreement !== undefined;
  }

  /** Between two SMTP sessions of one connection (after SMFIC_QUIT_NC). */
  get betweenSessions(): boolean {
    return this.#phase === phase.open && this.#afterQuit;
  }

  /** Whether a hook is running: nothing more is handled until it is done. */
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
    this.#message?.abort();
    if (!this.#waiting) this.#leave('disconnected');
  }

  #run(): void {
    try {
      while (!this.#waiting && !this.#blocked && !this.#closed && this.#reader.next()) {
        this.#frame();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    const out = this.#out;
    this.#out = [];
    if (!this.#closed) this.#host.send(out);
  }

  /** The peer does not speak the protocol. Hooks cannot get here: what they throw is caught where they are called. */
  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.#host.event({
      type: 'protocol-error',
      connection: this.#smtp,
      error,
      queueId: this.queueId,
    });
    this.#end();
  }

  /** Nothing more is read; what is due is still sent. */
  #end(): void {
    this.#flush();
    this.close();
    this.#host.end();
  }

  #frame(): void {
    const { command: letter, payload, first } = this.#reader;
    if (!first) {
      if (this.#takesPieces) this.#bodyPiece('body', payload);
      return;
    }
    if (letter === command.macro) {
      if (payload.length === 0) throw new ProtocolError('milter: macro: expected a stage');
      this.#macros.set(payload);
      return;
    }
    if (letter === command.quit) {
      this.#end();
      return;
    }
    const asked = bit(letter);
    if (asked === 0) {
      throw new ProtocolError(
        `milter: frame: command ${JSON.stringify(String.fromCharCode(letter))}: expected one of ABCDEHKLMNOQRTU`,
      );
    }
    if (this.#agreement === undefined) {
      this.#negotiate(letter, payload);
      return;
    }
    if (letter === command.quitNewConnection) {
      this.#quitNewConnection();
      return;
    }
    if (((this.#allowed[this.#phase] ?? 0) & asked) === 0) {
      // As libmilter: out of order gives the message up, and is ignored unless it could start something new.
      this.#abandon('aborted');
      this.#phase = phase.session;
      if (((this.#allowed[phase.session] ?? 0) & asked) === 0) {
        return;
      }
    }
    if (payload.length === 0 && NEEDS_PAYLOAD.has(letter)) {
      throw new ProtocolError(
        `milter: frame: command ${String.fromCharCode(letter)} without data: expected some`,
      );
    }
    this.#dispatch(letter, payload);
  }

  #negotiate(letter: number, payload: Buffer): void {
    if (letter !== command.negotiate) {
      throw new ProtocolError(
        `milter: negotiate: command ${String.fromCharCode(letter)}: expected O first`,
      );
    }
    const agreement = negotiate(this.#demand, payload);
    this.#agreement = agreement;
    this.#allowed = allowedCommands(agreement.protocol);
    this.#smtp.actions = agreement.actions;
    this.#phase = phase.open;
    this.#out.push(agreement.reply);
  }

  #quitNewConnection(): void {
    this.#leave('aborted');
    this.#macros.clearFrom(0);
    this.#smtp = new SmtpSession(this.#macros);
    this.#smtp.actions = this.#agreement?.actions ?? this.#smtp.actions;
    this.#phase = phase.open;
    this.#afterQuit = true;
  }

  #dispatch(letter: number, payload: Buffer): void {
    switch (letter) {
      case command.connect: {
        this.#beginSession(letter);
        const client = decodeConnect(payload);
        this.#smtp.client = client;
        this.#call('connect', () => this.#filter.connect?.(this.#smtp, client));
        break;
      }
      case command.helo: {
        this.#beginSession(letter);
        const name = decodeText(payload, 'helo');
        this.#smtp.helo = name;
        this.#call('helo', () => this.#filter.helo?.(this.#smtp, name));
        break;
      }
      case command.unknown: {
        this.#seen = true;
        const text = decodeText(payload, 'unknown');
        this.#call('unknown', () => this.#filter.unknown?.(this.#smtp, text));
        break;
      }
      case command.mail: {
        this.#beginSession(letter);
        this.#phase = phase.mail;
        const sender = decodeEnvelope(payload, 'mail');
        this.#headerCount = 0;
        this.#headerBytes = 0;
        this.#recipients = 0;
        this.#bodyBytes = 0;
        this.#call('mail', () => {
          const message = new Transaction(this.#smtp, this.#filter.begin(this.#smtp));
          this.#message = message;
          return this.#filter.mail?.(message, sender);
        });
        break;
      }
      case command.rcpt: {
        this.#phase = phase.rcpt;
        this.#macros.clearAfter(letter);
        const recipient = decodeEnvelope(payload, 'rcpt');
        this.#recipients++;
        if (this.#within('rcpt', 'recipients', this.#recipients)) {
          this.#ask('rcpt', (message) => this.#filter.rcpt?.(message, recipient));
        }
        break;
      }
      case command.data:
        this.#phase = phase.data;
        this.#ask('data', (message) => this.#filter.data?.(message));
        break;
      case command.header: {
        this.#phase = phase.header;
        const header = decodeHeader(payload, this.#agreed(protocolFlag.leadingSpace));
        this.#headerCount++;
        this.#headerBytes += payload.length;
        if (
          this.#within('header', 'headerCount', this.#headerCount) &&
          this.#within('header', 'headerBytes', this.#headerBytes)
        ) {
          this.#ask('header', (message) => this.#filter.header?.(message, header));
        }
        break;
      }
      case command.endOfHeaders:
        this.#phase = phase.endOfHeaders;
        this.#ask('endOfHeaders', (message) => this.#filter.endOfHeaders?.(message));
        break;
      case command.body:
        this.#phase = phase.body;
        this.#takesPieces = true;
        this.#bodyPiece('body', payload);
        break;
      case command.endOfMessage:
        if (payload.length > 0) this.#bodyPiece('bodyAtEnd', payload);
        else this.#endOfMessage();
        break;
      case command.abort:
        this.#abandon('aborted');
        this.#macros.clearMessage();
        this.#phase = phase.session;
        break;
    }
  }

  #beginSession(letter: number): void {
    this.#phase = phase.session;
    this.#seen = true;
    this.#macros.clearAfter(letter);
  }

  /** A piece of SMFIC_BODY, or the data of SMFIC_BODYEOB. */
  #bodyPiece(stage: 'body' | 'bodyAtEnd', piece: Buffer): void {
    this.#bodyBytes += piece.length;
    if (this.#skipping) this.#answered(stage, 'continue');
    else if (this.#within(stage, 'bodyBytes', this.#bodyBytes)) {
      this.#ask(stage, (message) => this.#filter.body?.(message, piece));
    }
  }

  #endOfMessage(): void {
    this.#ask('endOfMessage', (message) => {
      message.openQueue(() => this.#progress());
      return this.#filter.endOfMessage?.(message);
    });
  }

  /** False, and the message passes, where a limit is exceeded. */
  #within(stage: Stage, limit: MessageLimit, count: number): boolean {
    const maximum = this.#options.limits[limit];
    if (count <= maximum || this.#held !== undefined) return true;
    this.#host.event({
      type: 'over-limit',
      connection: this.#smtp,
      limit,
      maximum,
      queueId: this.queueId,
    });
    this.#giveUp('over-limit');
    this.#held = 'accept';
    this.#answered(stage, 'accept');
    return false;
  }

  /** Calls a hook of the message, unless its answer is known already. */
  #ask(stage: Stage, hook: (message: Transaction<State>) => Maybe<BodyAnswer>): void {
    const message = this.#message;
    if (this.#held !== undefined) this.#answered(stage, this.#held);
    else if (message === undefined) this.#answered(stage, 'continue');
    else this.#call(stage, () => hook(message));
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
    if (this.#closed && !this.#waiting) this.#leave('disconnected');
    this.#run();
    this.#host.settled();
  }

  #progress(): void {
    if (this.#blocked || this.#closed) return;
    this.#out.push(PROGRESS);
    this.#flush();
  }

  #threw(stage: Stage, error: unknown): void {
    const message = this.#message;
    const inSession = stage === 'connect' || stage === 'helo' || stage === 'unknown';
    const answer = this.#options.onException;
    const answers = !this.#closed && (!inSession || this.#isDue(stage));
    // A hook that was told to stop may well do so by throwing.
    if (!(message?.aborted && isAbortError(error))) {
      this.#host.event({
        type: 'exception',
        connection: this.#smtp,
        hook: stage === 'bodyAtEnd' ? 'body' : stage,
        error,
        queueId: this.queueId,
        answered: answers ? answer : 'nothing',
      });
    }
    if (this.#closed) return;
    if (inSession) {
      if (answers) this.#out.push(encodeAnswer(answer));
      return;
    }
    this.#giveUp('exception');
    this.#held = answer;
    this.#answered(stage, answer);
  }

  #answered(stage: Stage, answer: BodyAnswer): void {
    if (this.#closed) return;
    if (!isLegal(stage, answer)) {
      this.#threw(
        stage,
        new TypeError(`milter: ${stage}: answer ${String(answer)}: not one of this stage`),
      );
      return;
    }
    switch (stage) {
      case 'connect':
      case 'helo':
      case 'unknown':
        if (this.#isDue(stage)) this.#out.push(encodeAnswer(answer));
        else if (answer !== 'continue') {
          this.#threw(stage, new TypeError(`milter: ${stage}: a silent hook cannot answer`));
        }
        break;
      case 'endOfMessage':
        this.#finish(answer);
        break;
      case 'bodyAtEnd':
        if (answer === 'continue' || answer === 'skip') this.#endOfMessage();
        else this.#finish(answer);
        break;
      default:
        this.#answerStage(stage, answer);
    }
  }

  #answerStage(stage: Stage, answer: BodyAnswer): void {
    if (answer === 'skip') this.#skipping = true;
    const goesOn = answer === 'continue' || answer === 'skip';
    if (!this.#isDue(stage)) {
      if (!goesOn) this.#held = answer;
      return;
    }
    const skips = answer === 'skip' && !this.#agreed(protocolFlag.skip);
    this.#out.push(encodeAnswer(skips ? 'continue' : answer));
    if (goesOn) return;
    // A refused recipient is one of several, unless the answer was meant for the whole message.
    if (stage !== 'rcpt' || !refuses(answer)) this.#endMessage();
  }

  #finish(answer: BodyAnswer): void {
    const queue = this.#message?.closeQueue();
    if (queue !== undefined && (answer === 'continue' || answer === 'accept')) {
      this.#out.push(...queue.encode(this.#agreed(protocolFlag.leadingSpace)));
    }
    this.#out.push(encodeAnswer(answer));
    this.#endMessage();
    // A body may be large: whether the MTA takes it decides on whether the next message is read.
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
    this.#held = undefined;
    this.#skipping = false;
    this.#givenUp = false;
    this.#takesPieces = false;
    this.#phase = phase.session;
    this.#macros.clearMessage();
  }

  /** The filter is done with the message, which is not done with the MTA. */
  #giveUp(reason: AbortReason): void {
    const message = this.#message;
    if (message === undefined || this.#givenUp) return;
    this.#givenUp = true;
    message.closeQueue();
    message.abort();
    this.#quietly('abort', () => this.#filter.abort?.(message, reason));
  }

  /** The MTA is done with the message. */
  #abandon(reason: AbortReason): void {
    this.#giveUp(reason);
    this.#message = undefined;
    this.#held = undefined;
    this.#skipping = false;
    this.#givenUp = false;
    this.#takesPieces = false;
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
      this.#host.event({
        type: 'exception',
        connection: this.#smtp,
        hook,
        error,
        queueId: this.queueId,
        answered: 'nothing',
      });
    }
  }
}

const NEEDS_PAYLOAD: ReadonlySet<number> = new Set([
  command.body,
  command.connect,
  command.header,
  command.helo,
  command.mail,
  command.rcpt,
  command.unknown,
]);

const NO_REPLY: Readonly<Record<Stage, number>> = {
  connect: protocolFlag.noReplyConnect,
  helo: protocolFlag.noReplyHelo,
  mail: protocolFlag.noReplyMail,
  rcpt: protocolFlag.noReplyRcpt,
  data: protocolFlag.noReplyData,
  header: protocolFlag.noReplyHeader,
  endOfHeaders: protocolFlag.noReplyEndOfHeaders,
  body: protocolFlag.noReplyBody,
  bodyAtEnd: 0,
  endOfMessage: 0,
  unknown: protocolFlag.noReplyUnknown,
};

const PROGRESS = frame(reply.progress);

const ANSWERS: Readonly<Record<Exclude<BodyAnswer, Reply>, Buffer>> = {
  continue: frame(reply.continue),
  accept: frame(reply.accept),
  reject: frame(reply.reject),
  tempfail: frame(reply.tempfail),
  discard: frame(reply.discard),
  skip: frame(reply.skip),
  connFail: frame(reply.connFail),
  shutdown: frame(reply.shutdown),
};

function encodeAnswer(answer: BodyAnswer): Buffer {
  return typeof answer === 'string' ? ANSWERS[answer] : frame(reply.replyCode, answer.payload);
}

/** JavaScript callers may answer anything. */
function isLegal(stage: Stage, answer: BodyAnswer): boolean {
  if (typeof answer !== 'string') return Buffer.isBuffer(answer.payload);
  if (answer === 'skip') return stage === 'body' || stage === 'bodyAtEnd';
  if (answer === 'discard') return stage !== 'connect' && stage !== 'helo' && stage !== 'unknown';
  return Object.hasOwn(ANSWERS, answer);
}

function refuses(answer: BodyAnswer): boolean {
  return answer === 'reject' || answer === 'tempfail' || typeof answer !== 'string';
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
