import { expect, test } from 'vitest';
import { BoundedCache } from '../../src/lib/bounded-cache.ts';

test('keeps what was used last, and at most twice as much', () => {
  const cache = new BoundedCache<string, number>(10);
  for (let n = 0; n < 1000; n += 1) {
    cache.set(`${n}`, n);
    expect(cache.get('0')).toBe(0);
    for (let last = Math.max(0, n - 4); last <= n; last += 1)
      expect(cache.get(`${last}`)).toBe(last);
  }
  const kept = Array.from({ length: 1000 }, (_, n) => cache.get(`${n}`)).filter(
    (n) => n !== undefined,
  );
  expect(kept.length).toBeLessThanOrEqual(20);
});

test('keeps the value that was set last', () => {
  const cache = new BoundedCache<string, string>(1);
  cache.set('a', 'first');
  cache.set('b', '');
  cache.set('a', 'second');
  expect(cache.get('a')).toBe('second');
});

test('makes a value once', () => {
  const cache = new BoundedCache<number, string>(10);
  let made = 0;
  const make = () => `value ${++made}`;
  expect([1, 1, 2, 1].map((key) => cache.getOrMake(key, make))).toEqual([
    'value 1',
    'value 1',
    'value 2',
    'value 1',
  ]);
});
