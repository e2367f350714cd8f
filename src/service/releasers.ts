import { reasonOf } from '../lib/logger.ts';
import { whenAborted } from '../lib/when-aborted.ts';

/** Releases a resource. Until `hurry` aborts, it may take any time. */
export type Release = (hurry: AbortSignal) => unknown;

interface Held {
  readonly name: string;
  readonly release: Release;
}

/**
 * Releases what start-up acquired: first everything that serves, at the same time, then what it
 * depends on.
 */
export class Releasers {
  readonly #serving: Held[] = [];
  readonly #foundations: Held[] = [];

  /**
   * Adds something that serves.
   * @param name for the message when its release fails or takes too long
   */
  add(name: string, release: Release): void {
    this.#serving.push({ name, release });
  }

  /** Adds something that others need until they have ended. @param name as for `add` */
  addFoundation(name: string, release: Release): void {
    this.#foundations.push({ name, release });
  }

  /**
   * Releases everything, the foundations one after the other, last acquired first. One that fails
   * or hangs does not keep the others from being released. After the deadline the rest are released
   * without waiting for them.
   * @param deadlineMs milliseconds for all of them together
   * @param hurry when the milliseconds begin; default: now. They begin at the latest when
   * everything that serves has ended
   * @throws the first error, once every release has been called
   */
  async release(deadlineMs: number, hurry: AbortSignal = AbortSignal.abort()): Promise<void> {
    const errors: unknown[] = [];
    let timer: NodeJS.Timeout | undefined;
    let startClock = () => {};
    const deadline = new Promise<'late'>((resolve) => {
      startClock = () => {
        timer ??= setTimeout(resolve, deadlineMs, 'late');
      };
    });
    whenAborted(hurry, startClock);
    const end = async ({ name, release }: Held) => {
      try {
        const released = (async () => release(hurry))();
        const outcome = await Promise.race([released, deadline]);
        if (outcome === 'late')
          errors.push(new Error(`${name} did not end within ${deadlineMs} ms`));
      } catch (error) {
        errors.push(new Error(`${name}: ${reasonOf(error)}`, { cause: error }));
      }
    };
    await Promise.all(this.#serving.splice(0).map(end));
    startClock();
    for (const held of this.#foundations.splice(0).reverse()) await end(held);
    clearTimeout(timer);
    if (errors.length > 0) throw errors[0];
  }
}
