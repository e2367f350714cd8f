import { expect, test } from 'vitest';
import { costOf, expectGrowthWithBytes } from './growth.ts';

/** Passes over `steps` bytes as often as there are bytes; the answer keeps the loop alive. */
function work(bytes: number, steps: number): number {
  let sum = 0;
  for (let at = 0; at < bytes; at++) for (let step = 0; step < steps; step++) sum ^= at * step;
  return Math.abs(sum % 2);
}

const cost = (bytes: number, memory: number) => ({ bytes, memory });

test('what grows with the bytes passes, what grows with their square does not', async () => {
  const load = (bytes: number, steps: number) => ({ bytes, run: () => work(bytes, steps) });
  const measure = async (large: number) => {
    await costOf(load(10_000, 5_000));
    await expectGrowthWithBytes(['milliseconds'], async () => [
      await costOf(load(10_000, 5_000)),
      await costOf(load(40_000, large)),
    ]);
  };
  await measure(5_000);
  await expect(measure(20_000)).rejects.toThrow('milliseconds');
  const memory = async () => [cost(1, 2 ** 25), cost(4, 2 ** 29)] as const;
  await expect(expectGrowthWithBytes(['memory'], memory)).rejects.toThrow('memory');
});

test('one measurement that another program disturbs is no reason to fail', async () => {
  const costs = [99e6, 30e6, 10e6];
  const measure = async () => [cost(1, 0), cost(1, costs.shift() ?? 0)] as const;
  await expectGrowthWithBytes(['memory'], measure);
  expect(costs).toEqual([]);
});
