import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Edit } from '../../src/message/content.ts';
import { literalContent } from '../../src/message/content.ts';
import { editsOf, spliced } from '../helpers/splice.ts';

const open = (raw: string, maxLine = 998) => literalContent(Buffer.from(raw, 'latin1'), maxLine);

test.each([
  ['up to the limit', 10, 'ab LINK\r\n', 'https:/', 'ab https:/\r\n', 0],
  ['not past it', 10, 'ab LINK\r\nLINK', 'https://', 'ab LINK\r\nhttps://', 1],
  ['what follows counts', 10, 'LINK 34567', 'https://', 'LINK 34567', 1],
  ['two on a line', 12, 'LINK LINK', 'https:', 'https: LINK', 1],
  ['a line too long already may shrink', 5, 'abcdefgh LINK', 'x', 'abcdefgh x', 0],
  [
    'not by a line end taken out',
    10,
    'abcdef\r\nLINK23456',
    '',
    'abcdef\r\nLINK23456',
    1,
    /\r\nLINK/g,
  ],
  ['unless there is room', 10, 'ab\r\nLINK2345', '', 'ab2345', 0, /\r\nLINK/g],
])('lines grow %s', (_, maxLine, raw, bytes, expected, refusals, pattern = /LINK/g) => {
  const edits = [...raw.matchAll(pattern)].map(({ 0: found, index }) => ({
    start: index,
    end: index + found.length,
    bytes,
  }));
  const result = open(raw, maxLine).splice(edits);
  expect(result.raw.toString('latin1')).toBe(expected);
  expect([...result.refused.values()]).toEqual(Array(refusals).fill('line-too-long'));
});

test('only the edited bytes differ, and no line grows past the limit', () => {
  const content = fc
    .array(fc.constantFrom('word ', '\r\n', '\n', '\xfc', 'x'.repeat(60)), {
      minLength: 1,
      maxLength: 40,
    })
    .map((pieces) => pieces.join(''));
  const withEdits = content.chain((bytes) =>
    fc.record({ bytes: fc.constant(bytes), edits: editsOf(bytes.length) }),
  );
  fc.assert(
    fc.property(withEdits, ({ bytes, edits }) => {
      const { raw, refused } = open(bytes, 200).splice(edits);
      const result = raw.toString('latin1');
      const made = edits.filter((edit: Edit) => !refused.has(edit));
      expect(result).toBe(spliced(bytes, made));
      const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
      expect(longest(result)).toBeLessThanOrEqual(Math.max(201, longest(bytes)));
    }),
    { numRuns: 400 },
  );
});
