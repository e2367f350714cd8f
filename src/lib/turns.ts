import { setImmediate } from 'node:timers/promises';

/** Milliseconds after which other work gets a turn. */
const TURN_MS = 5;

/** Divides long work into turns, so that the process answers others between them. */
export class Turns {
  #begun = performance.now();

  /** Is awaited between short pieces of work: ends the turn where it has been long enough. */
  readonly next = async (): Promise<void> => {
    if (performance.now() - this.#begun < TURN_MS) return;
    await setImmediate();
    this.#begun = performance.now();
  };
}
