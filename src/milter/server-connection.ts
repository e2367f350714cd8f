import type { Socket } from 'node:net';
import type { Filter } from './filter.ts';
import { FrameReader, frame } from './frame.ts';
import type { HookOptions, Replies } from './hook-calls.ts';
import type { Demand } from './negotiate.ts';
import type { Timeouts } from './options.ts';
import { command, ProtocolError, reply } from './protocol.ts';
import { Session } from './session.ts';

/** Bytes up to which one copy is cheaper than a vectored write. */
const COPY_UP_TO = 65_536;
/** Bytes read from an MTA ahead of a running hook before its socket is paused. */
const READ_AHEAD = 65_536;
/** Milliseconds until a connection is destroyed that the MTA does not close. */
const LINGER = 2_000;

const PROGRESS = frame(reply.progress);

/**
 * Replies are copied here before they are written: a new buffer for each would cost ten times the
 * copy. It is used again once the kernel has taken the bytes.
 */
let joined = Buffer.allocUnsafeSlow(COPY_UP_TO);

export interface ServerConnectionOptions extends HookOptions {
  readonly timeouts: Timeouts;
  /** Called once, when the socket is closed and no hook is running any more. */
  readonly onGone: () => void;
}

/**
 * One connection of an MTA. It reads frames from the socket, passes them to the session one after
 * another, and writes the replies.
 */
export class ServerConnection<State> {
  readonly session: Session<State>;
  readonly #socket: Socket;
  readonly #options: ServerConnectionOptions;
  readonly #reader = new FrameReader();
  /** Replies that are not written yet. */
  #out: Buffer[] = [];
  /** Whether the MTA has not yet read what was written. No further frame is handled meanwhile. */
  #isDraining = false;
  #isStopping = false;
  /** Whether no further frame is handled. */
  #isEnded = false;
  #isSocketClosed = false;
  #isGone = false;
  #error: Error | undefined;
  /** Whether the end of the connection needs no `disconnected` event. */
  #isExplained = false;
  #linger: NodeJS.Timeout | undefined;
  /** Whether the hook of the end of a message is running. */
  #isEnding = false;
  /** One timer for all messages: a timer per message would cost more than its replies. */
  readonly #progress: NodeJS.Timeout;
  /** Runs until negotiation is complete, whatever the peer sends meanwhile. */
  #negotiation: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    filter: Filter<State>,
    demand: Demand,
    options: ServerConnectionOptions,
  ) {
    this.#socket = socket;
    this.#options = options;
    const isTcp = socket.remoteAddress !== undefined;
    this.session = new Session(filter, demand, options, isTcp, () => this.#sendProgress());
    socket.setNoDelay(true);
    const { negotiation, progress } = options.timeouts;
    this.#negotiation = setTimeout(() => this.#timeout(), negotiation);
    this.#progress = setInterval(() => {
      if (this.#isEnding) this.#sendProgress();
    }, progress).unref();
    socket.on('data', (chunk: Buffer) => {
      if (this.#isEnded) return;
      this.#reader.push(chunk);
      this.#run();
    });
    socket.on('drain', () => {
      this.#isDraining = false;
      this.#run();
    });
    socket.on('timeout', () => this.#timeout());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('end', () => this.#lost());
    socket.on('close', () => {
      this.#isSocketClosed = true;
      clearTimeout(this.#linger);
      clearTimeout(this.#negotiation);
      clearInterval(this.#progress);
      this.#lost();
      this.#checkGone();
    });
  }

  /** Lets the current SMTP session finish, and accepts no further one. */
  stop(): void {
    this.#isStopping = true;
    if (this.session.betweenSessions) this.#end();
  }

  destroy(): void {
    this.#isExplained = true;
    this.#socket.destroy();
  }

  /** Handles the frames that are there, up to one whose hook is pending. */
  #run(): void {
    try {
      while (this.#mayHandle() && this.#reader.next()) this.#handle();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.event({ ...this.session.place, type: 'protocol-error', error });
      this.#end();
    }
    this.#flush();
    if (this.#isStopping && this.session.betweenSessions) this.#end();
    else this.#regulate();
  }

  #mayHandle(): boolean {
    return !this.session.isRunning && !this.#isDraining && !this.#isEnded;
  }

  #handle(): void {
    const letter = this.#reader.command;
    if (letter === command.quit) {
      this.#end();
      return;
    }
    const isEnd = letter === command.endOfMessage;
    const replies = this.session.receive(this.#reader);
    if (replies instanceof Promise) this.#wait(replies, isEnd);
    else this.#reply(replies, isEnd);
  }

  /** Waits for a hook, and sends SMFIR_PROGRESS meanwhile if the MTA allows it. */
  #wait(pending: Promise<Replies>, isEnd: boolean): void {
    this.#isEnding = isEnd;
    pending.then(
      (replies) => {
        this.#isEnding = false;
        this.#reply(replies, isEnd);
        if (this.#isSocketClosed) {
          this.#checkGone();
          return;
        }
        // Writing a reply restarts the timeout by itself.
        if (replies.length === 0) this.#socket.setTimeout(this.#options.timeouts.idle);
        this.#run();
      },
      (error: Error) => {
        this.#isEnding = false;
        this.#socket.destroy(error);
      },
    );
  }

  #reply(replies: Replies, isEnd: boolean): void {
    for (const buffer of replies) this.#out.push(buffer);
    // A new body may be large. The MTA must read it before the next message is handled.
    if (isEnd) this.#flush();
  }

  #sendProgress(): void {
    this.#out.push(PROGRESS);
    this.#flush();
  }

  #flush(): void {
    const buffers = this.#out;
    if (buffers.length === 0) return;
    this.#out = [];
    const socket = this.#socket;
    if (this.#isEnded || socket.destroyed || socket.writableEnded) return;
    let length = 0;
    for (const buffer of buffers) length += buffer.length;
    const [only] = buffers;
    let isTaken = true;
    if (buffers.length === 1 && only !== undefined) isTaken = socket.write(only);
    else if (length <= COPY_UP_TO) {
      let at = 0;
      for (const buffer of buffers) at += buffer.copy(joined, at);
      isTaken = socket.write(joined.subarray(0, length));
      if (socket.writableLength > 0) joined = Buffer.allocUnsafeSlow(COPY_UP_TO);
    } else {
      socket.cork();
      for (const buffer of buffers) isTaken = socket.write(buffer);
      socket.uncork();
    }
    if (!isTaken) {
      this.#isDraining = true;
      socket.setTimeout(this.#options.timeouts.write);
    }
  }

  /**
   * Ends the connection after the replies. Bytes that still arrive are read and dropped for a
   * while: a reset would take the last replies from the MTA.
   */
  #end(): void {
    this.#flush();
    this.#close();
    this.#socket.end();
    this.#linger ??= setTimeout(() => this.#socket.destroy(), LINGER);
  }

  #close(): void {
    this.#isEnded = true;
    this.#reader.clear();
    this.session.close();
  }

  /** Pauses or resumes the socket, and sets its timeout. */
  #regulate(): void {
    const socket = this.#socket;
    const isFull = !this.#mayHandle() && this.#reader.pending >= READ_AHEAD;
    if (isFull) socket.pause();
    else if (socket.isPaused()) socket.resume();

    const { timeouts } = this.#options;
    if (this.#negotiation !== undefined && this.session.isNegotiated) {
      clearTimeout(this.#negotiation);
      this.#negotiation = undefined;
    }
    let milliseconds = timeouts.idle;
    if (this.#isDraining) milliseconds = timeouts.write;
    else if (this.#negotiation !== undefined) milliseconds = 0;
    if (socket.timeout !== milliseconds) socket.setTimeout(milliseconds);
  }

  #timeout(): void {
    const { place, isNegotiated, isRunning } = this.session;
    if (isRunning && !this.#isDraining) {
      // A running hook has no timeout of the server's: the MTA has one. The wait begins again.
      this.#socket.setTimeout(this.#options.timeouts.idle);
      return;
    }
    const waitingFor = this.#isDraining ? 'write' : isNegotiated ? 'command' : 'negotiation';
    this.#options.event({ ...place, type: 'timeout', waitingFor });
    this.destroy();
  }

  /** The MTA has closed its side. No MTA closes only one side and waits for answers. */
  #lost(): void {
    const { place, inMessage } = this.session;
    if (inMessage && !this.#isExplained) {
      this.#options.event({ ...place, type: 'disconnected', error: this.#error });
    }
    this.#isExplained = true;
    this.#close();
  }

  #checkGone(): void {
    if (this.#isGone || this.session.isRunning) return;
    this.#isGone = true;
    this.#options.onGone();
  }
}
