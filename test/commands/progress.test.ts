import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Progress } from '../../src/commands/progress.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What stands on standard error when 1 of 4 was done after so many milliseconds. */
function shown(afterMs: number, isTTY: boolean): string[] {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) };
  const progress = new Progress('rewriting', 4, stream as unknown as NodeJS.WriteStream);
  vi.advanceTimersByTime(afterMs);
  progress.update(1);
  progress.update(1);
  progress.end();
  return written;
}

test('a bar on a terminal after two seconds, taken away in the end', () => {
  expect(shown(2001, true)).toEqual([
    '\rrewriting [########......................] 25 %',
    `\r${' '.repeat(47)}\r`,
  ]);
});

test.each([
  ['before', 1000, true],
  ['where nobody looks', 10_000, false],
])('no bar %s', (_, afterMs, isTTY) => {
  expect(shown(afterMs, isTTY)).toEqual([]);
});
