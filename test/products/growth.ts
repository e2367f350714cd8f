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

/** Expects that nothing grows faster than the bytes, give or take `SLACK`. */
export function expectGrowthWithBytes<Name extends keyof typeof FLOOR>(
  names: readonly Name[],
  small: Readonly<Record<Name | 'bytes', number>>,
  large: Readonly<Record<Name | 'bytes', number>>,
): void {
  const times = large.bytes / small.bytes;
  for (const name of names) {
    const most = SLACK * times * Math.max(small[name], FLOOR[name]);
    expect(large[name], `${name}: ${small[name]} at first`).toBeLessThan(most);
  }
}
