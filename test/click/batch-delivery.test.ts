import { expect, test } from 'vitest';
import { Backoff } from '../../src/click/batch-delivery.ts';

test('pauses double from a second to five minutes, and are between half and all of that', () => {
  const backoff = new Backoff({}, new AbortController().signal);
  for (const [attempt, seconds] of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].entries()) {
    const delay = backoff.delay(attempt);
    expect(delay).toBeGreaterThanOrEqual(seconds * 500);
    expect(delay).toBeLessThanOrEqual(seconds * 1_000);
  }
});
