import { expect, test } from 'vitest';
import { addNumbers, METRICS, noNumbers } from '../../src/store/counting.ts';

test.each(METRICS)('%s are added up, and nothing else', (metric) => {
  const sum = noNumbers();
  addNumbers(sum, { [metric]: 2 });
  addNumbers(sum, { ...noNumbers(), [metric]: 3 });
  expect(sum).toEqual({ ...noNumbers(), [metric]: 5 });
});
