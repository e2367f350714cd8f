import { expect, test } from 'vitest';
import { costOf, expectGrowthWithBytes } from './growth.ts';

/** Passes over `steps` bytes as often as there are bytes; the answer keeps the loop alive. */
function work(bytes: number, steps: number): number {
  let sum = 0;
  for (let at = 0; at < bytes; at++) for (let step = 0; step < steps; step++) sum ^= at * step;
  return Math.abs(sum % 2);
}

test('what grows with the bytes passes, what grows with their square does not', async () => {
  const load = (bytes: number, steps: number) => ({ bytes, run: () => work(bytes, steps) });
  const measure = async (large: number) => {
    await costOf(load(10_000, 5_000));
    const [small, four] = [await costOf(load(10_000, 5_000)), await costOf(load(40_000, large))];
    expectGrowthWithBytes(['milliseconds'], small, four);
  };
  await measure(5_000);
  await expect(measure(20_000)).rejects.toThrow('milliseconds');
  expect(() =>
    expectGrowthWithBytes(['memory'], { bytes: 1, memory: 2 ** 25 }, { bytes: 4, memory: 2 ** 29 }),
  ).toThrow('memory');
});
