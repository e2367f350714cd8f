import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Edit } from '../../src/message/content.ts';
import { spliceQuotedPrintable } from '../../src/message/quoted-printable.ts';
import { decodeQuotedPrintable } from '../../src/message/quoted-printable-decoder.ts';
import { editsOf, spliced } from '../helpers/splice.ts';
import { transferEncode } from '../helpers/transfer-encode.ts';

const open = (raw: string) => decodeQuotedPrintable(Buffer.from(raw, 'latin1'));

/** @param edits at decoded offsets */
function attempt(text: string, edits: readonly Edit[]) {
  const { rawOf, malformed } = open(text);
  const places = rawOf(edits).map((place, index) => ({
    ...place,
    bytes: edits[index]?.bytes ?? '',
  }));
  const { raw, refused } = spliceQuotedPrintable(Buffer.from(text, 'latin1'), places, malformed);
  return { raw: raw.toString('latin1'), refused: [...refused.values()] };
}

const splice = (text: string, edits: readonly Edit[]): string => attempt(text, edits).raw;

test.each([
  ['a=3Db', 'a=b'],
  ['a=3db=C3=bc', 'a=b\xc3\xbc'],
  ['soft=\r\nbreak', 'softbreak'],
  ['soft= \t\r\nbreak', 'softbreak'],
  ['soft=\nbreak', 'softbreak'],
  ['padding \t\r\nx  \ny ', 'padding\r\nx\ny'],
  ['in  side', 'in  side'],
  ['end=', 'end'],
  ['end= \t', 'end'],
  ['=20 \r\n=20', ' \r\n '],
  ['x=\r\n \t\r\n ', 'x\r\n'],
  ['=C \n', '=C\n'],
  ['not=4 an=XYescape= x', 'not=4 an=XYescape= x'],
  ['8bit \xfc\0', '8bit \xfc\0'],
  ['=\r', '=\r'],
  ['', ''],
])('decodes %j', (raw, decoded) => {
  expect(open(raw).bytes).toBe(decoded);
});

describe('splices', () => {
  const link = 'https://t.example/0123456789';
  test.each([
    ['short', 'a LINK b', 'a https://t.example/0123456789 b'],
    ['a link over several lines', 'a LI=\r\nNK b', 'a https://t.example/0123456789 b'],
    [
      'a soft break before and behind',
      'a =\r\nLINK=\r\n b',
      'a =\r\nhttps://t.example/0123456789=\r\n b',
    ],
    ['an escaped link', 'a =4C=49=4E=4B b\n', 'a https://t.example/0123456789 b\n'],
    [
      'a line that grows too long is broken where it must be',
      `${'x'.repeat(70)}LINK\r\nnext`,
      `${'x'.repeat(70)}https=\r\n://t.example/0123456789\r\nnext`,
    ],
    [
      'and behind the link, so that what follows stays as it was',
      `${'x'.repeat(40)}LINK${'y'.repeat(30)}=\n${'z'.repeat(70)}`,
      `${'x'.repeat(40)}https://t.example/0123456789=\n${'y'.repeat(30)}=\n${'z'.repeat(70)}`,
    ],
    [
      'a line that just fits is not broken',
      `${'x'.repeat(40)}LINK${'y'.repeat(8)}\r\n`,
      `${'x'.repeat(40)}https://t.example/0123456789${'y'.repeat(8)}\r\n`,
    ],
  ])('%s', (_, raw, expected) => {
    const start = open(raw).bytes.indexOf('LINK');
    expect(splice(raw, [{ start, end: start + 4, bytes: link }])).toBe(expected);
  });

  test('escapes what quoted-printable escapes, and breaks no escape', () => {
    const raw = `${'x'.repeat(73)}LINK`;
    expect(splice(raw, [{ start: 73, end: 77, bytes: '?==a' }])).toBe(
      `${'x'.repeat(73)}?=\r\n=3D=3Da`,
    );
  });

  test('refuses a place that was not encoded: its `=` may be one', () => {
    const edit = { start: 8, end: 12, bytes: link };
    expect(attempt('<a href="LINK">', [{ ...edit, start: 9, end: 13 }])).toEqual({
      raw: '<a href="LINK">',
      refused: ['malformed-encoding'],
    });
    expect(attempt('href=3D"L=INK"', [{ ...edit, start: 6, end: 11 }]).refused).toHaveLength(1);
  });
});

/** Against the rules, read byte by byte. */
function reference(raw: string): string {
  // All in one pass: what is left after a removal begins no soft line break (`=`, CR, blanks, LF).
  return raw.replace(/=([0-9A-Fa-f]{2})|=[ \t]*(?:\r?\n|$)|[ \t]+(?=\r?\n|$)/g, (_, hex) =>
    hex === undefined ? '' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

test('decodes anything, well-formed or not', () => {
  const piece = fc.constantFrom(
    ...['a', 'F', '0', '=', '=', ' ', '\t', '\r\n', '\n', '\r', '=3D', '=\r\n', '=20', '\xfc'],
    ...[' '.repeat(200), 'x'.repeat(200)],
  );
  const raw = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(raw, (text) => {
      expect(open(text).bytes).toBe(reference(text));
    }),
    { numRuns: 1000, examples: [['=\r\t\n']] },
  );
});

test('decodes and splices a part larger than what is kept ready for one', () => {
  const raw = `${'=3Dab=\r\n'.repeat(150_000)}LINK =\r\n`;
  const bytes = open(raw).bytes;
  expect(bytes).toBe(reference(raw));
  const start = bytes.indexOf('LINK');
  const edited = splice(raw, [{ start, end: start + 4, bytes: 'https://t.example/1' }]);
  expect(edited).toBe(raw.replace('LINK', 'https://t.example/1'));
});

const text = fc
  .array(
    fc.constantFrom(
      ...['a', 'word ', '=', '\r\n', ' ', '\t', '\xfc', 'x'.repeat(30), 'x'.repeat(100), '.'],
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((pieces) => pieces.join(''));
const withEdits = text.chain((content) =>
  fc.record({ content: fc.constant(content), edits: editsOf(content.length) }),
);

test('only the edited bytes differ, no line is too long, and lines without an edit are the same', () => {
  fc.assert(
    fc.property(withEdits, fc.boolean(), ({ content, edits }, bareLineFeed) => {
      const encoded = transferEncode(Buffer.from(content, 'latin1'), 'quoted-printable').toString(
        'latin1',
      );
      const raw = bareLineFeed ? encoded.replaceAll('\r\n', '\n') : encoded;
      const bytes = open(raw).bytes;
      // An edit that takes out a line end joins lines: that is tested by what they decode to.
      const places = edits.filter(
        ({ start, end }) => end <= bytes.length && !bytes.slice(start, end).includes('\n'),
      );
      const result = splice(raw, places);
      expect(open(result).bytes).toBe(spliced(bytes, places));
      const lines = result.split('\n');
      for (const line of lines) {
        expect(line.replace('\r', '').length).toBeLessThanOrEqual(76);
      }
      const kept = new Set(lines);
      for (const line of linesWithout(raw, places)) {
        expect(kept).toContain(line);
      }
    }),
    { numRuns: 150 },
  );
});

/** The raw lines of which no byte belongs to an edit: found by decoding line by line. */
function linesWithout(raw: string, edits: readonly Edit[]): string[] {
  let from = 0;
  return raw.split('\n').filter((line) => {
    const to = from + open(`${line}\n`).bytes.length;
    const touched = edits.some((edit) => edit.start < to && edit.end > from);
    from = to;
    return !touched;
  });
}

describe('offsets of decoded content', () => {
  test('are those of an empty range as well', () => {
    expect(open('a=3D=\r\nb').rawOf([{ start: 2, end: 2 }])).toEqual([{ start: 7, end: 7 }]);
  });

  test('are gone once other content is decoded: they would be those of that', () => {
    const first = open('a=3Db');
    open('=3D=3Dc');
    expect(() => first.rawOf([{ start: 2, end: 3 }])).toThrow('no other content');
  });
});
