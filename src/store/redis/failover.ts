import { type Logger, logFailure } from '../../lib/logger.ts';
import type { ClickAppender, ClickDraft } from '../events.ts';

export interface FailoverOptions {
  readonly stream: ClickAppender;
  readonly journal: ClickAppender;
  readonly logger: Logger;
  /** How long the stream is left alone after it failed; default 1,000 ms. */
  readonly pauseMs?: number;
}

/**
 * Appends to the stream, and where that fails to the journal. While the stream is away, one append
 * per pause tries it; the other appends, and the readers behind them, do not wait for its time-out.
 */
export class FailoverAppender implements ClickAppender {
  readonly #options: FailoverOptions;
  #away = false;
  /** When the stream may be tried again, by performance.now: the wall clock may jump. */
  #tryAt = 0;

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  append(events: readonly string[]): Promise<void> {
    return this.#keep((where) => where.append(events));
  }

  record(click: ClickDraft): Promise<void> {
    return this.#keep((where) => where.record(click));
  }

  headSeen(link: string): void {
    const { stream, journal } = this.#options;
    (this.#away ? journal : stream).headSeen(link);
  }

  async #keep(keepIn: (where: ClickAppender) => Promise<void>): Promise<void> {
    const { stream, journal, logger, pauseMs = 1000 } = this.#options;
    if (!this.#mayTry()) return keepIn(journal);
    try {
      await keepIn(stream);
    } catch (error) {
      this.#tryAt = performance.now() + pauseMs;
      if (!this.#away) {
        logFailure(logger, 'warn', error, 'clicks go to the journal until Redis is back');
      }
      this.#away = true;
      return keepIn(journal);
    }
    if (this.#away) logger.info('clicks go to Redis again');
    this.#away = false;
  }

  #mayTry(): boolean {
    if (!this.#away) return true;
    if (performance.now() < this.#tryAt) return false;
    this.#tryAt = Number.POSITIVE_INFINITY;
    return true;
  }
}
