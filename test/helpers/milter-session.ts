import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Filter, MilterEvent } from '../../src/milter/milter.ts';
import { demandOf } from '../../src/milter/negotiate.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type Limits } from '../../src/milter/options.ts';
import { ServerConnection } from '../../src/milter/server-connection.ts';
import { packets, show } from './milter-wire.ts';

export interface PlayOptions {
  readonly limits?: Partial<Limits>;
  readonly onException?: 'accept' | 'tempfail';
  /** Milliseconds between SMFIR_PROGRESS. */
  readonly progress?: number;
  /** Whether the connection is a unix socket, and not TCP. */
  readonly unix?: boolean;
}

/** A connection without a network: the bytes written to it, and those it answers, at once. */
export class PlayedSession<State> {
  readonly connection: ServerConnection<State>;
  readonly events: MilterEvent[] = [];
  /** Each write to the socket. Its bytes may change: the connection uses a buffer again. */
  readonly writes: Buffer[] = [];
  readonly #written: Buffer[] = [];
  readonly #socket: Duplex;

  constructor(filter: Filter<State>, options: PlayOptions = {}) {
    const { writes } = this;
    const written = this.#written;
    this.#socket = Object.assign(
      new Duplex({
        writableHighWaterMark: Number.MAX_SAFE_INTEGER,
        read() {},
        write(chunk: Buffer, _encoding, done) {
          writes.push(chunk);
          written.push(Buffer.from(chunk));
          done();
        },
      }),
      { setNoDelay() {}, setTimeout() {}, ...(!options.unix && { remoteAddress: '127.0.0.1' }) },
    );
    this.connection = new ServerConnection(
      this.#socket as unknown as Socket,
      filter,
      demandOf(filter),
      {
        limits: { ...DEFAULT_LIMITS, ...options.limits },
        timeouts: { ...DEFAULT_TIMEOUTS, progress: options.progress ?? 60_000 },
        onException: options.onException ?? 'tempfail',
        event: (event) => this.events.push(event),
        onGone: () => {},
      },
    );
  }

  /** Sends the packets in one read. */
  send(...sent: readonly Buffer[]): this {
    // A copy: a buffer that was read from a socket belongs to its reader.
    return this.receive(Buffer.concat(sent));
  }

  receive(read: Buffer): this {
    this.#socket.emit('data', read);
    return this;
  }

  /** The MTA closes the connection. */
  close(): void {
    this.#socket.emit('close');
  }

  /** Waits until no hook is running. */
  async settled(): Promise<this> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.connection.session.isRunning);
    return this;
  }

  /** Whether the server has closed the connection. */
  get ended(): boolean {
    return this.#socket.writableEnded;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#written);
  }

  /** Everything that was answered, a line a packet; `end` where the session has closed the connection. */
  get answers(): string[] {
    const { packets: found, rest } = packets(this.bytes);
    if (rest.length > 0) throw new Error(`half a packet: ${rest.toString('hex')}`);
    return [...found.map(show), ...(this.ended ? ['end'] : [])];
  }
}

/** The answers of a session that gets all that in one read; sync filters only. */
export function answersTo<State>(
  filter: Filter<State>,
  sent: readonly Buffer[],
  options?: PlayOptions,
): string[] {
  return new PlayedSession(filter, options).send(...sent).answers;
}
