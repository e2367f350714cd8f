import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base128, readBase128 } from '../../src/lib/base128.ts';

test.each([
  [0, [0]],
  [127, [0x7f]],
  [128, [0x80, 1]],
  [31_536_000, [0x80, 0xe7, 0x84, 0x0f]],
  [2 ** 32 - 1, [0xff, 0xff, 0xff, 0xff, 0x0f]],
])('%i', (value, bytes) => {
  expect([...base128(value)]).toEqual(bytes);
});

test('any number of 32 bits comes back, wherever it stands', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), fc.uint8Array(), (value, before) => {
      const bytes = Buffer.concat([before, base128(value), Buffer.of(0xff)]);
      expect(readBase128(bytes, before.length)).toEqual({ value, end: bytes.length - 1 });
    }),
  );
});

test('a number has one form: what is read is what is written', () => {
  const digits = fc.array(fc.constantFrom(0x80, 0x81, 0xff), { maxLength: 4 });
  fc.assert(
    fc.property(digits, fc.constantFrom(0, 1, 0x7f), (before, last) => {
      const bytes = Buffer.from([...before, last]);
      const read = readBase128(bytes, 0);
      if (read !== undefined) expect(base128(read.value)).toEqual(bytes);
    }),
  );
});

test.each([
  ['nothing', []],
  ['no end', [0x80, 0x80]],
  ['a zero behind it', [0x80, 0]],
  ['too much', [0xff, 0xff, 0xff, 0xff, 0x7f]],
  ['far too much', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]],
])('%s is no number', (_, bytes) => {
  expect(readBase128(Buffer.from(bytes), 0)).toBeUndefined();
});
