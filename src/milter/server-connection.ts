import type { Socket } from 'node:net';
import type { ConversationOptions } from './conversation.ts';
import type { MilterEvent } from './event.ts';
import type { Filter } from './filter.ts';
import type { Demand } from './negotiate.ts';
import type { Timeouts } from './options.ts';
import { Session, type SessionHost } from './session.ts';

/** Up to here one copy is cheaper than a vectored write. */
const COPY_UP_TO = 65_536;
/** Bytes taken from an MTA ahead of a running hook, before the socket is paused. */
const READ_AHEAD = 65_536;
/** Milliseconds given to an MTA to close its side. */
const LINGER = 2_000;

export interface ServerConnectionOptions extends ConversationOptions {
  readonly timeouts: Timeouts;
  readonly event: (event: MilterEvent) => void;
  /** The socket is closed and no hook is running any more; called once. */
  readonly gone: () => void;
}

/** A session and its socket: reading, writing, waiting. */
export class ServerConnection<State> implements SessionHost {
  readonly session: Session<State>;
  readonly #socket: Socket;
  readonly #options: ServerConnectionOptions;
  #draining = false;
  #socketClosed = false;
  #gone = false;
  #stopping = false;
  #error: Error | undefined;
  /** That the connection ends, and why, is known to whom it concerns. */
  #explained = false;
  #linger: NodeJS.Timeout | undefined;
  /** Whatever comes meanwhile: who sends a byte now and then has not negotiated. */
  #negotiation: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    filter: Filter<State>,
    demand: Demand,
    options: ServerConnectionOptions,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.session = new Session(filter, demand, options, this);
    socket.setNoDelay(true);
    this.#negotiation = setTimeout(() => this.#timeout(), options.timeouts.negotiation);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('timeout', () => this.#timeout());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('end', () => this.#lost());
    socket.on('close', () => {
      this.#socketClosed = true;
      clearTimeout(this.#linger);
      clearTimeout(this.#negotiation);
      this.#lost();
      this.#checkGone();
    });
  }

  /** Lets the SMTP session come to its end, and takes no other. */
  stop(): void {
    this.#stopping = true;
    if (this.session.betweenSessions) this.end();
  }

  destroy(): void {
    this.#explained = true;
    this.#socket.destroy();
  }

  send(buffers: readonly Buffer[]): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    let length = 0;
    for (const buffer of buffers) length += buffer.length;
    const [only] = buffers;
    let taken = true;
    if (buffers.length === 1 && only !== undefined) taken = socket.write(only);
    else if (length <= COPY_UP_TO) taken = socket.write(Buffer.concat(buffers, length));
    else {
      socket.cork();
      for (const buffer of buffers) taken = socket.write(buffer);
      socket.uncork();
    }
    if (!taken && !this.#draining) {
      this.#draining = true;
      this.session.block();
      socket.setTimeout(this.#options.timeouts.write);
    }
  }

  /** What the MTA still sends is read and dropped for a while: a reset would take the last answers from it. */
  end(): void {
    this.session.close();
    this.#socket.end();
    this.#linger ??= setTimeout(() => this.#socket.destroy(), LINGER);
  }

  settled(): void {
    if (this.#socketClosed) this.#checkGone();
    else this.#afterRun();
  }

  event(event: MilterEvent): void {
    this.#options.event(event);
  }

  #data(chunk: Buffer): void {
    this.session.receive(chunk);
    this.#afterRun();
  }

  #afterRun(): void {
    const { session } = this;
    if (this.#stopping && session.betweenSessions) {
      this.end();
      return;
    }
    const full = (session.waiting || this.#draining) && session.pending >= READ_AHEAD;
    if (full) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
    this.#setTimeout();
  }

  #drained(): void {
    this.#draining = false;
    this.session.unblock();
    this.#afterRun();
  }

  /** A running hook has its own idea of time, and the MTA's patience is its bound. */
  #setTimeout(): void {
    const { timeouts } = this.#options;
    if (this.#negotiation !== undefined) {
      if (!this.session.negotiated) return;
      clearTimeout(this.#negotiation);
      this.#negotiation = undefined;
    }
    let milliseconds = timeouts.idle;
    if (this.#draining) milliseconds = timeouts.write;
    else if (this.session.waiting) milliseconds = 0;
    if (this.#socket.timeout !== milliseconds) this.#socket.setTimeout(milliseconds);
  }

  #timeout(): void {
    this.event({
      type: 'timeout',
      connection: this.session.connection,
      waitingFor: this.#draining ? 'write' : this.session.negotiated ? 'command' : 'negotiation',
      queueId: this.session.queueId,
    });
    this.destroy();
  }

  /** The MTA is gone, or as good as gone: nobody half-closes and waits for answers. */
  #lost(): void {
    const { session } = this;
    if (session.inMessage && !this.#explained) {
      this.event({
        type: 'disconnected',
        connection: session.connection,
        error: this.#error,
        queueId: session.queueId,
      });
    }
    this.#explained = true;
    session.close();
  }

  #checkGone(): void {
    if (this.#gone || this.session.waiting) return;
    this.#gone = true;
    this.#options.gone();
  }
}
