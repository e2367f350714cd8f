import type { Action, Connection, EndOfMessage } from './filter.ts';
import { ModificationQueue } from './modification-queue.ts';
import { checkHeader, checkLine } from './sendable.ts';

/** One message as its filter sees it. */
export class FilterMessage<State> implements EndOfMessage<State> {
  readonly connection: Connection;
  readonly state: State;
  #abort: AbortController | undefined;
  #aborted = false;
  #queue: ModificationQueue | undefined;
  #sendProgress: (() => void) | undefined;

  constructor(connection: Connection, state: State) {
    this.connection = connection;
    this.state = state;
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

  /** Most filters never ask, so the controller is made when one does. */
  get signal(): AbortSignal {
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

  /** From here on the message can be changed, until `closeQueue`. */
  openQueue(sendProgress: () => void): void {
    this.#queue = new ModificationQueue();
    this.#sendProgress = sendProgress;
  }

  closeQueue(): ModificationQueue | undefined {
    const queue = this.#queue;
    this.#queue = undefined;
    this.#sendProgress = undefined;
    return queue;
  }

  addHeader(name: string, value: string): void {
    const queue = this.#may('addHeader', 'addHeaders');
    checkHeader(name, value, 'addHeader');
    queue.add({ type: 'addHeader', name, value });
  }

  insertHeader(index: number, name: string, value: string): void {
    const queue = this.#may('insertHeader', 'addHeaders');
    checkIndex(index, 0, 'insertHeader');
    checkHeader(name, value, 'insertHeader');
    queue.add({ type: 'insertHeader', index, name, value });
  }

  changeHeader(name: string, index: number, value: string): void {
    const queue = this.#may('changeHeader', 'changeHeaders');
    checkIndex(index, 1, 'changeHeader');
    checkHeader(name, value, 'changeHeader');
    queue.changeHeader(name, index, value);
  }

  deleteHeader(name: string, index: number): void {
    this.changeHeader(name, index, '');
  }

  replaceBody(chunks: Buffer | readonly Buffer[]): void {
    const queue = this.#may('replaceBody', 'changeBody');
    const body = Buffer.isBuffer(chunks) ? [chunks] : [...chunks];
    if (!body.every((chunk) => Buffer.isBuffer(chunk))) {
      throw new TypeError('milter: replaceBody: expected a Buffer or Buffers');
    }
    queue.replaceBody(body);
  }

  addRecipient(address: string, args: readonly string[] = []): void {
    const action = args.length > 0 ? 'addRecipientsWithArguments' : 'addRecipients';
    const queue = this.#may('addRecipient', action);
    queue.add({ type: 'addRecipient', ...envelope(address, args, 'addRecipient') });
  }

  deleteRecipient(address: string): void {
    const queue = this.#may('deleteRecipient', 'deleteRecipients');
    checkLine(address, 'deleteRecipient');
    queue.add({ type: 'deleteRecipient', address });
  }

  changeSender(address: string, args: readonly string[] = []): void {
    const queue = this.#may('changeSender', 'changeSender');
    queue.add({ type: 'changeSender', ...envelope(address, args, 'changeSender') });
  }

  quarantine(reason: string): void {
    const queue = this.#may('quarantine', 'quarantine');
    checkLine(reason, 'quarantine');
    queue.add({ type: 'quarantine', reason });
  }

  progress(): void {
    this.#sendProgress?.();
  }

  #may(method: string, action: Action): ModificationQueue {
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

function checkIndex(index: number, least: number, place: string): void {
  if (!Number.isInteger(index) || index < least || index > 0x7fffffff) {
    throw new RangeError(`milter: ${place}: index ${index}: expected an integer from ${least}`);
  }
}

function envelope(
  address: string,
  args: readonly string[],
  place: string,
): { address: string; args?: string } {
  checkLine(address, place);
  for (const arg of args) checkLine(arg, place);
  return args.length === 0 ? { address } : { address, args: args.join(' ') };
}
