import { expect, test } from 'vitest';
import { getOrMake, parseJson } from '../../src/lib/values.ts';

test.each([
  ['{"a":[1]}', { a: [1] }],
  ['null', null],
  ['', undefined],
  ['{', undefined],
  ['{}}', undefined],
])('the JSON of %j', (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

test('a missing value is made once', () => {
  const map = new Map<string, number[]>();
  getOrMake(map, 'a', () => []).push(1);
  getOrMake(map, 'a', () => []).push(2);
  expect([...map]).toEqual([['a', [1, 2]]]);
});
