import { expect } from 'vitest';

/** What comes in, and what is done with it. */
export interface Load {
  /** Bytes of what comes in, of both factors. */
  readonly bytes: number;
  /** @returns bytes of what it makes: a message, events, records, answers */
  run(): number | Promise<number>;
  /** Bytes that it may make at most, where a contract says so. */
  readonly maxOutput?: number;
}

/** A load in which two factors that outsiders choose are about `n` each, so that its bytes are in proportion to `n`. */
export type Product = (n: number) => Load | Promise<Load>;

export interface Cost {
  readonly bytes: number;
  readonly output: number;
  readonly maxOutput?: number;
  /** Of the process' own time: other processes do not count. */
  readonly milliseconds: number;
}

/** Costs that are too small to measure: the compiler's time, garbage, what a buffer is rounded up to. */
const FLOOR = { milliseconds: 25, memory: 8 * 1024 * 1024, output: 8 * 1024 };
/** A product that grows with its square is twice as far from its bytes when these are four times as many. */
const SLACK = 2;

export async function costOf({ bytes, maxOutput, run }: Load): Promise<Cost> {
  const before = process.cpuUsage();
  const output = await run();
  const milliseconds = process.cpuUsage(before).user / 1000;
  return { bytes, output, milliseconds, ...(maxOutput !== undefined && { maxOutput }) };
}

/** Another program may disturb a measurement, but hardly so many. */
const ATTEMPTS = 3;

/**
 * Expects that nothing grows faster than the bytes, give or take `SLACK`. Measures again where it seems to, and
 * compares the least costs.
 * @param measure the costs of a small load and of a large one; `attempt` counts from 1
 */
export async function expectGrowthWithBytes<Measured extends { readonly bytes: number }>(
  names: readonly (keyof typeof FLOOR & keyof Measured)[],
  measure: (attempt: number) => Promise<readonly [small: Measured, large: Measured]>,
): Promise<readonly [small: Measured, large: Measured]> {
  const small: Measured[] = [];
  const large: Measured[] = [];
  const least = (costs: readonly Measured[], name: keyof Measured) =>
    Math.min(...costs.map((cost) => Number(cost[name])));
  for (let attempt = 1; ; attempt++) {
    const measured = await measure(attempt);
    small.push(measured[0]);
    large.push(measured[1]);
    const times = measured[1].bytes / measured[0].bytes;
    const most = (name: (typeof names)[number]) =>
      SLACK * times * Math.max(least(small, name), FLOOR[name]);
    if (attempt < ATTEMPTS && names.some((name) => least(large, name) >= most(name))) continue;
    for (const name of names) {
      expect(least(large, name), `${String(name)}: ${least(small, name)} at first`).toBeLessThan(
        most(name),
      );
    }
    return measured;
  }
}
