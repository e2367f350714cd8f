import type { Click } from './click.ts';

/** A click that is let through, or the repeats of one that were held back. */
export type Passed = (click: Click, count: number) => void;

export interface FloodLimits {
  /** Clicks a second on one token that each become an event of their own; default 20. */
  readonly perSecond?: number;
  /** How often what was held back is let through as one; default 1,000 ms. What a kill -9 can lose of a flood. */
  readonly flushMs?: number;
}

/** Clicks on one token in the running interval. */
interface Count {
  passed: number;
  repeats: number;
  /** Set while repeats are held back: the latest of them stands for all. */
  last?: Click;
}

/**
 * Keeps a flood on one token from filling stream and disk: past a rate, repeats are held back, counted,
 * and let through as one click an interval; until an interval goes by that stays below the rate.
 * Memory is bounded by the clicks of one interval.
 */
export class FloodGate {
  readonly #limit: number;
  readonly #passed: Passed;
  readonly #timer: NodeJS.Timeout;
  #counts = new Map<string, Count>();

  constructor(passed: Passed, { perSecond = 20, flushMs = 1000 }: FloodLimits = {}) {
    this.#limit = Math.max(1, (perSecond * flushMs) / 1000);
    this.#passed = passed;
    this.#timer = setInterval(() => this.flush(), flushMs);
    this.#timer.unref();
  }

  /** Whether this click becomes an event of its own; if not, it is counted among the repeats. */
  lets(click: Click): boolean {
    let count = this.#counts.get(click.token);
    if (!count) {
      count = { passed: 0, repeats: 0 };
      this.#counts.set(click.token, count);
    }
    if (count.passed < this.#limit) {
      count.passed++;
      return true;
    }
    count.repeats++;
    count.last = click;
    return false;
  }

  /** Lets through what was held back. */
  flush(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [token, { repeats, last }] of counts) {
      if (!last) continue;
      // A flood that goes on has its allowance used up already.
      if (repeats >= this.#limit) this.#counts.set(token, { passed: this.#limit, repeats: 0 });
      this.#passed(last, repeats);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    this.#counts.clear();
  }
}
