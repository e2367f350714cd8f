import { setTimeout as sleep } from 'node:timers/promises';

/** A time in milliseconds that no test has: what waits for its end fails the test. */
export const LONGER_THAN_A_TEST = 600_000;

/**
 * Asks `probe` again and again until it gives something other than undefined, false or null.
 * @param what what is being waited for, named in the error
 * @param deadline milliseconds
 */
export async function poll<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadline = 25_000,
): Promise<Exclude<T, undefined | false | null>> {
  const end = Date.now() + deadline;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false && found !== null) {
      return found as Exclude<T, undefined | false | null>;
    }
    if (Date.now() > end) throw new Error(`waited ${deadline} ms in vain for ${what}`);
    await sleep(20);
  }
}
