import { decodeLegacy, decodeLoosely } from './legacy-decoder.ts';

/**
 * Charsets whose characters of several bytes hold bytes that look like ASCII: a `<`, `"` or letter there is
 * none. They are blotted out, byte for byte, so that a scanner may look for ASCII in what remains.
 */
export function maskMultibyte(text: string, encoding: string | undefined): string {
  switch (encoding) {
    case 'shift_jis':
    case 'big5':
    case 'euc-kr':
    case 'gbk':
    case 'gb18030':
      return text.replace(DOUBLE_BYTE[encoding], (char) => BLOT.repeat(char.length));
    case 'iso-2022-jp':
      return text.replace(TWO_BYTE_RUN, (run) => BLOT.repeat(run.length));
    default:
      return text;
  }
}

/**
 * The character that is not ASCII at an offset, and the bytes it takes: U+FFFD where it cannot be made out.
 *
 * Where a run of ISO-2022-JP begins, only what ends a URL is made out: a link that went on behind the escape sequence
 * would take it along when it is replaced, and so spoil the rest of the run.
 */
export function multibyteCharacter(
  bytes: string,
  at: number,
  encoding: string,
): { char: string; units: number } {
  if (encoding === 'iso-2022-jp') {
    const [char = ' '] = decodeLoosely(bytes.slice(at, at + LONGEST_ESCAPE + 2), encoding);
    return { char: /[\s\p{P}\uff5c]/u.test(char) ? char : UNKNOWN, units: 1 };
  }
  const pattern = CHARACTERS.get(encoding) as RegExp;
  pattern.lastIndex = at;
  const [raw = bytes.slice(at, at + 1)] = pattern.exec(bytes) ?? [];
  const char = decodeLegacy(raw, encoding);
  return char === undefined ? { char: UNKNOWN, units: 1 } : { char, units: raw.length };
}

const BLOT = '\xff';
const UNKNOWN = '\ufffd';

/** Lead and trail bytes as the WHATWG Encoding Standard's decoders take them. */
const DOUBLE_BYTE = {
  shift_jis: /[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]/g,
  big5: /[\x81-\xfe][\x40-\x7e\xa1-\xfe]/g,
  'euc-kr': /[\x81-\xfe][\x41-\x5a\x61-\x7a\x81-\xfe]/g,
  gbk: /[\x81-\xfe](?:[\x30-\x39][\x81-\xfe][\x30-\x39]|[\x40-\x7e\x80-\xfe])/g,
  gb18030: /[\x81-\xfe](?:[\x30-\x39][\x81-\xfe][\x30-\x39]|[\x40-\x7e\x80-\xfe])/g,
};

const CHARACTERS: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({ ...DOUBLE_BYTE, 'euc-jp': /\x8f[\xa1-\xfe]{2}|[\x8e\xa1-\xfe][\xa1-\xfe]/ }).map(
    ([encoding, { source }]) => [encoding, new RegExp(source, 'y')],
  ),
);

/**
 * ISO-2022-JP (RFC 1468): from the escape sequence of a set other than ASCII or JIS-Roman up to the next escape,
 * and the sequences of those two, which end in a letter.
 */
const ESCAPE = '\u001b';
const TWO_BYTE_RUN = new RegExp(
  `${ESCAPE}(?:(?:\\$[@B]|\\$\\([@BD]|\\(I)[^${ESCAPE}]*|\\([BJ])`,
  'g',
);
const LONGEST_ESCAPE = 4;

/** Encodings with characters of several bytes, beside UTF-8 and UTF-16. */
export const MULTIBYTE: ReadonlySet<string> = new Set([
  ...Object.keys(DOUBLE_BYTE),
  'euc-jp',
  'iso-2022-jp',
]);
