import { expect, test } from 'vitest';
import type { TrackedLink } from '../../../src/link/message-facts.ts';
import { RecentByLinks } from '../../../src/store/redis/recent-by-links.ts';

const linksOf = (name: string, query = ''): TrackedLink[] =>
  Array.from({ length: 10 }, (_, i) => ({
    target: `https://${name}.example/${i}${query}`,
    part: 'html',
  }));

test('a message is found by one with mostly the same links', () => {
  const recent = new RecentByLinks<string>(10);
  recent.add(linksOf('a', '?u=1'), 'a');
  recent.add(linksOf('b'), 'b');
  const any = () => true;
  expect(recent.find(linksOf('a', '?u=2'), any)).toBe('a');
  expect(recent.find([...linksOf('x').slice(0, 3), ...linksOf('a')], any)).toBe('a');
  expect(recent.find(linksOf('a'), (found) => found !== 'a')).toBeUndefined();
  expect(recent.find(linksOf('c'), any)).toBeUndefined();
  recent.remove(linksOf('a'), 'a');
  expect(recent.find(linksOf('a'), any)).toBeUndefined();
  expect(recent.find([], any)).toBeUndefined();
});

test('what is looked for stays known while ten thousand others go by, and they do not', () => {
  const recent = new RecentByLinks<string>(10);
  recent.add(linksOf('a'), 'a');
  for (let i = 0; i < 10_000; i++) {
    recent.add(linksOf(`other-${i}`), 'other');
    if (i % 5 === 0) expect(recent.find(linksOf('a'), () => true)).toBe('a');
  }
  expect(recent.find(linksOf('other-9000'), () => true)).toBeUndefined();
});
