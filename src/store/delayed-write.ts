import { inBackground } from '../lib/background.ts';

/**
 * Writes counts some time after they change: one write at a time, with everything that came until
 * then.
 */
export class DelayedWrite {
  readonly #write: () => Promise<void>;
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(write: () => Promise<void>, delayMs = 1000) {
    this.#write = write;
    this.#delayMs = delayMs;
  }

  schedule(): void {
    this.#timer ??= setTimeout(
      () => inBackground('write the counters', () => this.writeNow()),
      this.#delayMs,
    ).unref();
  }

  writeNow(): Promise<void> {
    this.stop();
    this.#timer = undefined;
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
