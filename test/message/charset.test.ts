import { expect, test } from 'vitest';
import { charsetOf } from '../../src/message/charset.ts';

test.each([
  ...['utf-7', 'UNICODE-1-1-UTF-7', 'utf-32', 'iso-2022-kr', 'hz-gb-2312'],
  ...['x-unknown', 'unknown-8bit', 'ibm850'],
  // UTF-16 of an order that programs do not agree upon.
  ...['csUnicode', 'unicode', 'unicodeFEFF', 'unicodeFFFE', 'ucs-2', 'ISO-10646-UCS-2'],
])('%s is left alone: it looks like ASCII and is not, or may not be', (label) => {
  expect(charsetOf(label, 'x')).toBe(undefined);
});

const UTF_8_MARK = '\xef\xbb\xbf';

test.each([
  ['iso-8859-1', UTF_8_MARK],
  ['windows-1252', UTF_8_MARK],
  ['shift_jis', UTF_8_MARK],
  ['utf-16', UTF_8_MARK],
  ['utf-16le', UTF_8_MARK],
  ['utf-8', '\xff\xfe'],
  ['utf-8', '\xfe\xff'],
  ['', '\xff\xfe'],
  ['us-ascii', '\xfe\xff'],
  ['iso-8859-1', '\xff\xfe'],
  ['utf-16be', '\xff\xfe'],
  ['utf-16le', '\xfe\xff'],
])('a part in %s is left alone behind the mark %j of another', (label, mark) => {
  expect(charsetOf(label, `${mark}x\0`)).toBe(undefined);
});

test.each(['utf-8', 'UTF8', '', 'us-ascii'])('the mark of UTF-8 goes with %j', (label) => {
  expect(charsetOf(label, `${UTF_8_MARK}x`)?.decode(`${UTF_8_MARK}x`)).toBe('\ufeffx');
});

test.each([
  ['utf-16le', 'a\0', 'a'],
  ['utf-16be', '\0a', 'a'],
  ['UTF-16', '\xfe\xff\0a', '\ufeffa'],
  ['utf-16', '\xff\xfea\0', '\ufeffa'],
  ['utf-16', '\0a', undefined],
  ['utf-16le', 'a\0b', 'a'],
])('%s %j reads %j', (label, bytes, text) => {
  const charset = charsetOf(label, bytes);
  expect(charset?.scannable(bytes)).toBe(text);
  if (charset !== undefined && text !== undefined) {
    expect(charset.scannable(charset.encode('https://t.example/'))).toBe('https://t.example/');
  }
});

test.each([
  ['utf-8', '\xc3\xbc', 'ü'],
  ['utf-8', '\xfc', undefined],
  ['', '\xc3\xbc', 'ü'],
  ['', '\xfc', undefined],
  ['us-ascii', '\xc3\xbc', undefined],
  ['ASCII', '~', '~'],
  ['iso-8859-1', '\xfc', 'ü'],
  ['iso-8859-1', '\x80', '€'],
  ['windows-1252', '\x81', undefined],
  ['koi8-r', '\xc1', 'а'],
  ['shift_jis', '\x83\x5c', 'ソ'],
  ['gb2312', '\xc4\xe3', '你'],
  ['euc-jp', '\xa4\xb3', 'こ'],
  ['iso-2022-jp', '\x1b$B$3\x1b(B', 'こ'],
  ['shift_jis', '\x83', undefined],
])('%s %j says %j', (label, bytes, text) => {
  expect(charsetOf(label, bytes)?.decode(bytes)).toBe(text);
});

test.each([
  ['big5', '\x87\x40'], // 䏰, not U+F266
  ['big5-hkscs', '\xf9\xfe'], // U+FFED, not ▓
  ['big5', '\x80'],
  ['euc-kr', '\x81\x41'], // 갂, not U+0081 and A
  ['ks_c_5601-1987', '\x81\x41'],
  ['gbk', '\xff'],
  ['koi8-u', '\xae'], // Ў, not ╝
  ['koi8-u', '\xbe'],
  ['shift_jis', '\xb1\x7f'], // not U+001A
  ['euc-jp', '\x8e\xe0'],
  ['euc-jp', '\x8f\xf3\xa1'],
  ['euc-jp', '\x80'],
  ['windows-874', '\xdb'],
  ['windows-1253', '\xaa'],
])('what Node and browsers read differently is uncertain: %s %j', (label, bytes) => {
  const charset = charsetOf(label, bytes);
  expect(charset?.decode(bytes)).toBe(undefined);
  expect(charset?.characterAt(charset.scannable(bytes), 0)).toMatchObject(
    label === 'shift_jis' ? { char: 'ｱ' } : { char: '\ufffd', units: 1 },
  );
});

/** Later versions of Node follow browsers here. */
test.each([
  ['gbk', '\xa2\xe3', '€'],
  ['gb2312', '\xa6\xd9', '\ufe10'],
  ['iso-8859-16', '\xa4', '€'],
  ['latin10', '\xa4', '€'],
])('%s %j is read as browsers do, or uncertain', (label, bytes, browsers) => {
  const charset = charsetOf(label, bytes);
  const text = charset?.decode(bytes);
  expect([browsers, undefined]).toContain(text);
  expect(charset?.characterAt(bytes, 0).char).toBe(charset && (text ?? '\ufffd'));
});

test('private characters are uncertain', () => {
  expect(charsetOf('x-user-defined', '\x80')?.decode('\x80')).toBe(undefined);
});

/** Each was what Chromium reads when they were counted: where a count changes, compare again. */
test.each([
  ['big5', 13_502],
  ['euc-kr', 8224],
])('of the characters of two bytes in %s, %d are certain', (label, expected) => {
  const charset = charsetOf(label, '');
  const decode = (lead: number, trail: number) => charset?.decode(String.fromCharCode(lead, trail));
  const all = Array.from({ length: 0x80 * 0x100 }, (_, i) => decode(0x80 + (i >> 8), i & 0xff));
  const certain = all.filter((text) => text !== undefined && !/[\0-\x7f]/.test(text));
  expect(certain).toHaveLength(expected);
});

test.each([
  ['utf-8', true],
  ['utf-16le', true],
  ['', true],
  ['us-ascii', false],
  ['ASCII', false],
  ['iso-8859-1', false],
  ['latin1', false],
])('a browser sends the queries of %j as UTF-8: %s', (label, expected) => {
  expect(charsetOf(label, '')?.utf8Queries).toBe(expected);
});
