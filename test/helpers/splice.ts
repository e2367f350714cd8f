import fc from 'fast-check';
import type { Edit } from '../../src/message/content.ts';

/** What must come of edits in decoded bytes. */
export function spliced(bytes: string, edits: readonly Edit[]): string {
  let result = bytes;
  for (const { start, end, bytes: replacement } of edits.toReversed()) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  return result;
}

/** Edits of at least one byte each, in order, not overlapping. */
export function editsOf(length: number): fc.Arbitrary<Edit[]> {
  return fc
    .array(
      fc.record({
        start: fc.nat(Math.max(0, length - 1)),
        size: fc.integer({ min: 1, max: 40 }),
        bytes: fc.oneof(
          fc.constant(''),
          fc
            .tuple(fc.constantFrom('', '?', '=', 'x=='), fc.nat(120))
            .map(([odd, length]) => `https://${odd}${'a=b'.repeat(40).slice(0, length)}`),
        ),
      }),
      { maxLength: 6 },
    )
    .map((all) => {
      const edits: Edit[] = [];
      let free = 0;
      for (const { start, size, bytes } of all.sort((a, b) => a.start - b.start)) {
        const end = Math.min(length, start + size);
        if (start >= free && end > start) {
          edits.push({ start, end, bytes });
          free = end;
        }
      }
      return edits;
    });
}
