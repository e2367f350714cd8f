import type { EventAppender } from './events.ts';

export interface FailoverObserver {
  /** Events go to the second place from now on, for this reason; called once more with nothing when they no longer do. */
  failedOver?(error: unknown): void;
}

export interface FailoverOptions {
  readonly first: EventAppender;
  readonly second: EventAppender;
  /** How long the first is left alone after it failed; default 1,000 ms. */
  readonly pauseMs?: number;
  readonly observer?: FailoverObserver;
}

/**
 * Appends to the stream, and where that fails to the journal. While the stream is away only one append a pause
 * tries it: the others, and the people behind them, do not wait for its time-out.
 */
export class FailoverAppender implements EventAppender {
  readonly #options: FailoverOptions;
  #away = false;
  /** When the first may be tried again, by performance.now: the clock may jump. */
  #tryAt = 0;

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  async append(events: readonly string[]): Promise<void> {
    const { first, second } = this.#options;
    if (!this.#mayTry()) return second.append(events);
    try {
      await first.append(events);
    } catch (error) {
      this.#tell(error);
      return second.append(events);
    }
    if (this.#away) this.#tell(undefined);
  }

  #mayTry(): boolean {
    if (!this.#away) return true;
    if (performance.now() < this.#tryAt) return false;
    this.#tryAt = Number.POSITIVE_INFINITY;
    return true;
  }

  #tell(error: unknown): void {
    const away = error !== undefined;
    if (away) this.#tryAt = performance.now() + (this.#options.pauseMs ?? 1000);
    if (this.#away === away) return;
    this.#away = away;
    this.#options.observer?.failedOver?.(error);
  }
}
