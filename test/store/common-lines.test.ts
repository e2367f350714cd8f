import { expect, test } from 'vitest';
import { CommonLines } from '../../src/store/common-lines.ts';

test('a line is common when a third recipient gets it', () => {
  const common = new CommonLines();
  const lines = ['a', 'b'];
  expect(common.of(lines, 'x')).toEqual([]);
  expect(common.of(lines, 'y')).toEqual([]);
  expect(common.of(lines, 'z')).toEqual(lines);
  expect(common.of(['own', 'b', 'a'], 'x')).toEqual(['b', 'a']);
});

test('a line that one recipient gets again and again is his own', () => {
  const common = new CommonLines();
  for (let i = 0; i < 100; i++) expect(common.of(['unsubscribe'], 'x')).toEqual([]);
});

test('a very long line is never common', () => {
  const common = new CommonLines();
  const line = 'x'.repeat(501);
  for (const recipient of ['x', 'y', 'z', 'x']) expect(common.of([line], recipient)).toEqual([]);
});

test('what is common stays known while a hundred thousand other lines go by', () => {
  const common = new CommonLines();
  for (const recipient of ['x', 'y', 'z']) common.of(['a'], recipient);
  for (let i = 0; i < 100_000; i++) {
    common.of([`own ${i}`], 'x');
    if (i % 5_000 === 0) expect(common.of(['a'], 'x')).toEqual(['a']);
  }
});
