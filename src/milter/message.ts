import type { Answer } from './answer.ts';
import type { Action, ConnectInfo, Connection, EndOfMessage } from './filter.ts';
import type { Macros } from './macros.ts';
import { MessageLimits } from './message-limits.ts';
import { ModificationQueue } from './modification.ts';
import type { Limits, MessageLimit } from './options.ts';
import { checkHeader, checkIndex, checkLines } from './validate.ts';

/* The objects that hooks receive: one SMTP session, and one message of it. */

let lastId = 0;

/** One SMTP session. */
export class MilterConnection implements Connection {
  readonly id = ++lastId;
  client: ConnectInfo | undefined;
  helo: string | undefined;
  actions: ReadonlySet<Action>;
  readonly #macros: Macros;

  constructor(macros: Macros, actions: ReadonlySet<Action> = new Set()) {
    this.#macros = macros;
    this.actions = actions;
  }

  macro(name: string): string | undefined {
    return this.#macros.get(name);
  }
}

/** One message, from MAIL to its last answer. */
export class MilterMessage<State> implements EndOfMessage<State> {
  readonly connection: Connection;
  /** The return value of `begin`; set before any other hook is called. */
  declare state: State;
  /** Whether the filter has begun the message and expects its end. */
  isOpen = false;
  /** An answer to the whole message, sent when one is due next. No hook is called any more. */
  held: Answer | undefined;
  /** Whether the filter needs no more of the body. */
  isSkipping = false;

  readonly limits: MessageLimits;

  readonly #maxBodyBytes: number;
  #bodyBytes = 0;
  #abort: AbortController | undefined;
  #aborted = false;
  #queue: ModificationQueue | undefined;
  #sendProgress: (() => void) | undefined;

  constructor(connection: Connection, limits: Limits) {
    this.connection = connection;
    this.limits = new MessageLimits(limits);
    this.#maxBodyBytes = limits.bodyBytes;
  }

  /** Counts bytes of the body. @returns the limit that is exceeded, if any */
  countBody(bytes: number): MessageLimit | undefined {
    this.#bodyBytes += bytes;
    return this.#bodyBytes > this.#maxBodyBytes ? 'bodyBytes' : undefined;
  }

  get queueId(): string | undefined {
    return this.connection.macro('i');
  }

  macro(name: string): string | undefined {
    return this.connection.macro(name);
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    // Most filters never ask for it.
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#abort?.abort();
  }

  /** Allows modifications until `endModifications`. */
  beginModifications(sendProgress: () => void): void {
    this.#queue = new ModificationQueue();
    this.#sendProgress = sendProgress;
  }

  endModifications(): ModificationQueue | undefined {
    const queue = this.#queue;
    this.#queue = undefined;
    this.#sendProgress = undefined;
    return queue;
  }

  addHeader(name: string, value: string): void {
    const queue = this.#allowed('addHeader', 'addHeaders');
    checkHeader(name, value, 'addHeader');
    queue.add({ type: 'addHeader', name, value });
  }

  insertHeader(index: number, name: string, value: string): void {
    const queue = this.#allowed('insertHeader', 'addHeaders');
    checkIndex(index, 0, 'insertHeader');
    checkHeader(name, value, 'insertHeader');
    queue.add({ type: 'insertHeader', index, name, value });
  }

  changeHeader(name: string, index: number, value: string): void {
    const queue = this.#allowed('changeHeader', 'changeHeaders');
    checkIndex(index, 1, 'changeHeader');
    checkHeader(name, value, 'changeHeader');
    queue.add({ type: 'changeHeader', index, name, value });
  }

  deleteHeader(name: string, index: number): void {
    this.changeHeader(name, index, '');
  }

  replaceBody(chunks: Buffer | readonly Buffer[]): void {
    const queue = this.#allowed('replaceBody', 'changeBody');
    const body = Buffer.isBuffer(chunks) ? [chunks] : [...chunks];
    if (!body.every((chunk) => Buffer.isBuffer(chunk))) {
      throw new TypeError('milter: replaceBody: expected a Buffer or Buffers');
    }
    queue.replaceBody(body);
  }

  addRecipient(address: string, args: readonly string[] = []): void {
    const action = args.length > 0 ? 'addRecipientsWithArguments' : 'addRecipients';
    const queue = this.#allowed('addRecipient', action);
    checkLines('addRecipient', address, ...args);
    queue.add({ type: 'addRecipient', address, ...joined(args) });
  }

  deleteRecipient(address: string): void {
    const queue = this.#allowed('deleteRecipient', 'deleteRecipients');
    checkLines('deleteRecipient', address);
    queue.add({ type: 'deleteRecipient', address });
  }

  changeSender(address: string, args: readonly string[] = []): void {
    const queue = this.#allowed('changeSender', 'changeSender');
    checkLines('changeSender', address, ...args);
    queue.add({ type: 'changeSender', address, ...joined(args) });
  }

  quarantine(reason: string): void {
    const queue = this.#allowed('quarantine', 'quarantine');
    checkLines('quarantine', reason);
    queue.add({ type: 'quarantine', reason });
  }

  progress(): void {
    this.#sendProgress?.();
  }

  #allowed(method: string, action: Action): ModificationQueue {
    if (this.#queue === undefined) {
      throw new Error(`milter: ${method}: expected a running endOfMessage hook`);
    }
    if (!this.connection.actions.has(action)) {
      throw new Error(
        `milter: ${method}: ${action} was not agreed: expected it in the filter's actions and in what the MTA grants (connection.actions)`,
      );
    }
    return this.#queue;
  }
}

function joined(args: readonly string[]): { args?: string } {
  return args.length === 0 ? {} : { args: args.join(' ') };
}
