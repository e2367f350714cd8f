import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MULTIBYTE, maskMultibyte } from '../../src/message/legacy-encodings.ts';

const NOT_ASCII = /[^\0-\x7f]/;

/** ICU exchanges control characters of Shift_JIS. */
const isNoControl = (byte: number) => byte >= 0x20 && byte !== 0x7f;

describe('bytes that look like ASCII within a character are blotted out', () => {
  test.each([
    ['shift_jis', '\x83\x5c\x95\x5c', '\xff\xff\xff\xff'],
    ['shift_jis', '\xb1a\x82"', '\xb1a\x82"'],
    ['gb18030', '\x81\x30\x81\x30a\x81a', '\xff\xff\xff\xffa\xff\xff'],
    ['big5', '\xa5\x5c\\', '\xff\xff\\'],
    ['euc-kr', '\xb0\x41A', '\xff\xffA'],
    ['iso-2022-jp', 'a\x1b$B<a>\x1b(Bb', `a${'\xff'.repeat(9)}b`],
    ['utf-8', '\xc3\xbc', '\xc3\xbc'],
    ['euc-jp', '\xa4\xb3', '\xa4\xb3'],
  ])('%s %j', (encoding, bytes, expected) => {
    expect(maskMultibyte(bytes, encoding)).toBe(expected);
  });

  // Node's decoder of EUC-KR does not know the characters browsers add to it.
  const comparable = [...MULTIBYTE].filter((one) => one !== 'iso-2022-jp' && one !== 'euc-kr');
  test.each(comparable)('what stays ASCII in %s is ASCII to its decoder', (encoding) => {
    const decoder = new TextDecoder(encoding, { fatal: true });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 30 }).map((all) => all.filter(isNoControl)),
        (bytes) => {
          let text: string;
          try {
            text = decoder.decode(bytes);
          } catch {
            return; // what is malformed is anybody's guess
          }
          const masked = maskMultibyte(Buffer.from(bytes).toString('latin1'), encoding);
          const ascii = (string: string) =>
            [...string].filter((char) => !NOT_ASCII.test(char)).join('');
          expect(ascii(masked)).toBe(ascii(text));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
