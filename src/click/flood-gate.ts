import { getOrMake } from '../lib/values.ts';
import type { Click } from './click.ts';

/** Receives the repeats that were held back: the latest of them, and their number. */
type Release = (click: Click, repeats: number) => void;

export interface FloodLimits {
  /** Clicks per second on one token that each become an event; default 20. */
  readonly perSecond?: number;
  /**
   * How often repeats are released as one event; default 1,000 ms. A kill -9 loses the repeats of
   * this time.
   */
  readonly flushMs?: number;
}

/** Clicks on one token in the current interval. */
interface Count {
  admitted: number;
  repeats: number;
  /** The latest of the repeats that are held back. */
  last?: Click;
}

/**
 * Keeps a flood on one token from filling stream and disk. Above a rate, repeats are held back,
 * counted, and released as one click per interval, until an interval stays below the rate. The
 * clicks of one interval bound the memory.
 */
export class FloodGate {
  readonly #limit: number;
  readonly #release: Release;
  readonly #timer: NodeJS.Timeout;
  #counts = new Map<string, Count>();

  constructor(release: Release, { perSecond = 20, flushMs = 1000 }: FloodLimits = {}) {
    this.#limit = Math.max(1, (perSecond * flushMs) / 1000);
    this.#release = release;
    this.#timer = setInterval(() => this.flush(), flushMs);
    this.#timer.unref();
  }

  /** Whether this click becomes an event of its own; if not, it is counted among the repeats. */
  admits(click: Click): boolean {
    // Anonymous clicks apart, because the repeats are released as the last of them is.
    const key = click.isAnonymous ? `anonymous ${click.token}` : click.token;
    const count = getOrMake(this.#counts, key, (): Count => ({ admitted: 0, repeats: 0 }));
    if (count.admitted < this.#limit) {
      count.admitted++;
      return true;
    }
    count.repeats++;
    count.last = click;
    return false;
  }

  /** Releases the repeats that are held back. */
  flush(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [key, { repeats, last }] of counts) {
      if (!last) continue;
      // A flood that goes on admits no further click.
      if (repeats >= this.#limit) this.#counts.set(key, { admitted: this.#limit, repeats: 0 });
      this.#release(last, repeats);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    this.#counts.clear();
  }
}
