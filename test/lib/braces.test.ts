import { expect, test } from 'vitest';
import { fillBraces, hasStrayBraces, namesInBraces } from '../../src/lib/braces.ts';

const values: Readonly<Record<string, string>> = { a: '1', b_2: '{a}', none: '' };
const fill = (text: string) => fillBraces(text, (name) => values[name]);

test.each([
  ['no name', 'no name', [], false],
  ['{a}', '1', ['a'], false],
  ['{a}{b_2}-{a}', '1{a}-1', ['a', 'b_2'], false],
  ['x{none}', undefined, ['none'], false],
  ['x{c}{a}', undefined, ['c', 'a'], false],
  ['{a', '{a', [], true],
  ['{}{a b}{a}', '{}{a b}1', ['a'], true],
])('%s', (text, filled, names, stray) => {
  expect(fill(text)).toBe(filled);
  expect(namesInBraces([text, text])).toEqual(names);
  expect(hasStrayBraces(text)).toBe(stray);
});
