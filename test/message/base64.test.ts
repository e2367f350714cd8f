import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64Content } from '../../src/message/base64.ts';
import type { Edit } from '../../src/message/content.ts';
import { editsOf, spliced } from '../helpers/splice.ts';

const open = (raw: string) => base64Content(Buffer.from(raw, 'latin1'));

function splice(raw: string, edits: readonly Edit[]): string {
  return open(raw)?.splice(edits).raw.toString('latin1') ?? '';
}

function encode(bytes: string, width: number, lineEnd: string): string {
  const all = Buffer.from(bytes, 'latin1').toString('base64');
  const lines = all.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
  return lines.join(lineEnd) + lineEnd;
}

test.each([
  ['QUJD', 'ABC'],
  ['QUI=', 'AB'],
  ['QQ==\r\n', 'A'],
  ['QU\r\nJD', 'ABC'],
  [' QUJD \t\r\n\r\n', 'ABC'],
  ['', ''],
])('decodes %j', (raw, decoded) => {
  expect(open(raw)?.bytes).toBe(decoded);
});

test.each(['QUJ', 'Q', 'QUI', 'QQ==QQ==', 'QU-_', 'QU*JD', 'QQ===', 'Q===', 'QUJD\r\n--sig'])(
  'leaves %j alone: decoders do not agree on it',
  (raw) => {
    expect(open(raw)).toBe(undefined);
  },
);

describe('splices', () => {
  const text = 'x'.repeat(100);
  test('what comes before the first changed group stays as it was, odd lines and all', () => {
    const raw = encode(text, 4, ' \r\n');
    const result = splice(raw, [{ start: 90, end: 93, bytes: 'ABC' }]);
    expect(result.startsWith(raw.slice(0, 30 * 7))).toBe(true);
    expect(open(result)?.bytes).toBe(`${'x'.repeat(90)}ABC${'x'.repeat(7)}`);
  });

  test('a single line grows to 76 at least, a longer one to its own length', () => {
    const lengths = (raw: string) =>
      splice(raw, [{ start: 1, end: 2, bytes: 'y'.repeat(100) }])
        .trim()
        .split('\r\n')
        .map(({ length }) => length);
    expect(lengths('QUJD')).toEqual([76, 60]);
    expect(lengths(encode(text, 1000, '\r\n'))).toEqual([136, 132]);
  });
});

test('only the edited bytes differ, and lines are as long as those found', () => {
  const content = fc
    .uint8Array({ minLength: 1, maxLength: 400 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'));
  const withEdits = content.chain((bytes) =>
    fc.record({ bytes: fc.constant(bytes), edits: editsOf(bytes.length) }),
  );
  fc.assert(
    fc.property(
      withEdits,
      fc.constantFrom(76, 64, 60, 73),
      fc.constantFrom('\r\n', '\n'),
      ({ bytes, edits }, width, lineEnd) => {
        const raw = encode(bytes, width, lineEnd);
        const result = splice(raw, edits);
        expect(Buffer.from(result, 'base64').toString('latin1')).toBe(spliced(bytes, edits));
        if (raw.length > width + 2) {
          expect(result).toBe(encode(spliced(bytes, edits), width, lineEnd));
        }
      },
    ),
    { numRuns: 400 },
  );
});
