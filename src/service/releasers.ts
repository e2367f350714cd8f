import { whenAborted } from '../lib/when-aborted.ts';

/** Gives back what is held. As long as `hurry` has not aborted, it may take as long as it likes. */
export type Release = (hurry: AbortSignal) => unknown;

interface Held {
  readonly name: string;
  readonly release: Release;
}

/** What start-up acquired, given back: first all that serves, at the same time, then what it stands on. */
export class Releasers {
  readonly #serving: Held[] = [];
  readonly #foundations: Held[] = [];

  /** @param name what is released, for the message when it fails or takes too long */
  add(name: string, release: Release): void {
    this.#serving.push({ name, release });
  }

  /** The same of what others need until they have ended. */
  addFoundation(name: string, release: Release): void {
    this.#foundations.push({ name, release });
  }

  /**
   * Releases everything, the foundations one after the other, last acquired first. One that fails or hangs does not
   * keep the others from being released: the deadline is for all of them, and what is still held when it has
   * passed is asked to go without being waited for.
   * @param deadlineMs milliseconds for all of them together
   * @param hurry when the milliseconds begin for those that serve; default: now. For the foundations they begin at the
   * latest when all that serves has ended
   * @throws the first error, once everything has been asked
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
    const giveBack = async ({ name, release }: Held) => {
      try {
        const released = (async () => release(hurry))();
        const outcome = await Promise.race([released, deadline]);
        if (outcome === 'late')
          errors.push(new Error(`${name} did not end within ${deadlineMs} ms`));
      } catch (error) {
        errors.push(new Error(`${name}: ${reasonOf(error)}`, { cause: error }));
      }
    };
    await Promise.all(this.#serving.splice(0).map(giveBack));
    startClock();
    for (const held of this.#foundations.splice(0).reverse()) await giveBack(held);
    clearTimeout(timer);
    if (errors.length > 0) throw errors[0];
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
