import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyChunks } from '../../src/message/body-chunks.ts';

function chunksOf(pieces: readonly Buffer[]): BodyChunks {
  const chunks = new BodyChunks();
  for (const piece of pieces) chunks.append(piece);
  return chunks;
}

test('however it comes, any stretch of a body is what it was', () => {
  const small = fc.uint8Array({ maxLength: 20 });
  const large = fc
    .integer({ min: 500, max: 600 })
    .map((length) => new Uint8Array(length).fill(length));
  const pieces = fc.array(fc.oneof(small, large), { maxLength: 400 });
  fc.assert(
    fc.property(pieces, fc.nat(), fc.nat(), (arrays, a, b) => {
      const buffers = arrays.map((array) => Buffer.from(array));
      const whole = Buffer.concat(buffers);
      const chunks = chunksOf(buffers);
      expect(chunks.length).toBe(whole.length);
      const [start = 0, end = 0] = [a, b]
        .map((at) => at % (whole.length + 1))
        .sort((x, y) => x - y);
      expect(chunks.slice(start, end).equals(whole.subarray(start, end))).toBe(true);
    }),
  );
});

test.each([
  ['one large piece', [60_000], 1],
  ['large pieces', [60_000, 60_000, 60_000], 3],
  ['single bytes', Array(60_000).fill(1), 15],
  ['a small piece between large ones', [1000, 1, 1000], 3],
])('%s', (_, lengths: number[], chunks) => {
  const pieces = lengths.map((length) => Buffer.alloc(length, 'x'));
  const body = chunksOf(pieces);
  expect(body.views(0, body.length)).toHaveLength(chunks);
  // Large ones are not copied.
  const [first] = body.views(0, body.length);
  expect(first?.buffer === pieces[0]?.buffer).toBe((lengths[0] ?? 0) >= 1000);
});
