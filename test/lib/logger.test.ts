import { afterEach, expect, test, vi } from 'vitest';
import { OncePerInterval } from '../../src/lib/logger.ts';

afterEach(() => vi.useRealTimers());

test('admits one of each kind per interval and says how many it held back', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const lines = new OncePerInterval(1000);
  expect([lines.admit('a'), lines.admit('b'), lines.admit('a'), lines.admit('a')]).toEqual([
    0,
    0,
    undefined,
    undefined,
  ]);
  vi.advanceTimersByTime(1000);
  expect([lines.admit('a'), lines.admit('b'), lines.admit('a')]).toEqual([2, 0, undefined]);
});

test('remembers a bounded number of kinds', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const lines = new OncePerInterval(1000);
  lines.admit('first');
  for (let kind = 0; kind < 10_000; kind++) lines.admit(`kind ${kind}`);
  // A forgotten kind is admitted again.
  expect([lines.admit('kind 9999'), lines.admit('first')]).toEqual([undefined, 0]);
});
