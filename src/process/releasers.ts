/** What start-up acquired, given back in reverse order. */
export class Releasers {
  readonly #stack: { name: string; release: () => unknown }[] = [];

  /** @param name what is released, for the message when it fails or takes too long */
  add(name: string, release: () => unknown): void {
    this.#stack.push({ name, release });
  }

  /**
   * Releases everything, last acquired first. One that fails or hangs does not keep the
   * others from being released: the deadline is for all of them, and what is still held
   * when it has passed is asked to go without being waited for.
   * @param deadlineMs milliseconds from now for all of them together
   * @throws the first error, once everything has been asked
   */
  async release(deadlineMs: number): Promise<void> {
    const errors: unknown[] = [];
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, deadlineMs, 'late');
    });
    for (let held = this.#stack.pop(); held !== undefined; held = this.#stack.pop()) {
      const { name, release } = held;
      try {
        const outcome = await Promise.race([(async () => void (await release()))(), deadline]);
        if (outcome === 'late')
          errors.push(new Error(`${name} did not end within ${deadlineMs} ms`));
      } catch (error) {
        errors.push(new Error(`${name}: ${reasonOf(error)}`, { cause: error }));
      }
    }
    clearTimeout(timer);
    if (errors.length > 0) throw errors[0];
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
