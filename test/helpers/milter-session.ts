import type { Filter, MilterEvent } from '../../src/milter/milter.ts';
import { demandOf } from '../../src/milter/negotiate.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/milter/options.ts';
import { Session } from '../../src/milter/session.ts';
import { packets, show } from './milter-wire.ts';

export interface PlayOptions {
  readonly limits?: Partial<Limits>;
  readonly onException?: 'accept' | 'tempfail';
  /** Milliseconds between SMFIR_PROGRESS. */
  readonly progress?: number;
}

/** A session without a socket: what is written to it, and what it answers. */
export class PlayedSession<State> {
  readonly session: Session<State>;
  readonly events: MilterEvent[] = [];
  ended = false;
  /** Answers of one run of the session, each as it was handed over to be written. */
  readonly writes: (readonly Buffer[])[] = [];

  constructor(filter: Filter<State>, options: PlayOptions = {}) {
    this.session = new Session(
      filter,
      demandOf(filter),
      {
        limits: { ...DEFAULT_LIMITS, ...options.limits },
        progress: options.progress ?? 60_000,
        onException: options.onException ?? 'tempfail',
      },
      {
        send: (buffers) => this.writes.push([...buffers]),
        end: () => {
          this.ended = true;
        },
        settled: () => {},
        event: (event) => this.events.push(event),
      },
    );
  }

  /** Gives the packets to the session in one read. */
  send(...sent: readonly Buffer[]): this {
    // A copy: what is read from a socket is nobody else's.
    this.session.receive(Buffer.concat(sent));
    return this;
  }

  /** Waits until no hook is running. */
  async settled(): Promise<this> {
    while (this.session.waiting) await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.writes.flat());
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
