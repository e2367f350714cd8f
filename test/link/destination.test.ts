import { expect, test } from 'vitest';
import { destinationOf } from '../../src/link/destination.ts';
import { resolvedLink } from '../redirect/fake-links.ts';

test('a destination is at most as long as a target', () => {
  const longest = 'https://a.example/'.padEnd(8192 - '?p='.length - 256, 'x');
  const facts = { appendQuery: 'p={pathway}', pathway: 'p'.repeat(300) };
  const lead = (target: string) => destinationOf(resolvedLink({ target }, facts));
  expect(lead(longest)).toHaveLength(8192);
  expect(lead(`${longest}x`)).toBe(`${longest}x`);
});
