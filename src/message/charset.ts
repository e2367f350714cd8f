import { isUtf8 } from 'node:buffer';

/** Maps the bytes of a part to characters. */
export interface Charset {
  /** Bytes of an ASCII character, and of each character of `scannable`. */
  readonly unit: 1 | 2;
  /** Whether `scannable` overwrites characters, and what it overwrites depends on those before. */
  readonly masks: boolean;
  /**
   * Whether browsers send non-ASCII characters of queries as UTF-8 from documents in this charset.
   */
  readonly utf8Queries: boolean;
  /**
   * The bytes as a string of as many units, in which each character that looks like ASCII is ASCII.
   */
  scannable(bytes: string): string;
  /** Decodes some of the bytes. Gives undefined where the text is not certain. */
  decode(bytes: string): string | undefined;
  /** Encodes ASCII text. */
  encode(ascii: string): string;
  /**
   * The non-ASCII character at an offset of `scannable`'s string for the whole part, and its length
   * in that string. The character is U+FFFD where the bytes are malformed or ambiguous.
   */
  characterAt(text: string, at: number): { char: string; units: number };
}

const NOT_ASCII = /[^\0-\x7f]/;
const US_ASCII = /^(?:us-)?ascii$/;
/** The first character of the escape sequences of ISO-2022-JP. */
const ESCAPE = '\x1b';

/**
 * Finds the charset of a part. A byte order mark that contradicts the label makes it uncertain,
 * since browsers follow the mark and other programs the label.
 *
 * @param label the charset of the Content-Type. Empty where there is none
 * @returns undefined where the text is not certain: UTF-7, UTF-32, UTF-16 of unknown byte order,
 * and unknown labels
 */
export function charsetOf(label: string, bytes: string): Charset | undefined {
  const name = label.trim().toLowerCase();
  if (/^(unicode-1-1-)?utf-7|^x?-?utf-?32|^ucs-4|^iso-2022-(kr|cn)|^hz-gb/.test(name)) {
    return undefined;
  }
  const mark = BYTE_ORDER_MARKS.find(({ bytes: mark }) => bytes.startsWith(mark))?.encoding;
  if (/^utf-?16|^ucs-2|^unicode$|^iso-10646-ucs-2/.test(name)) {
    return utf16(name, mark);
  }
  const encoding = encodingOf(name);
  if (encoding === null || (mark !== undefined && mark !== (encoding ?? 'utf-8'))) {
    return undefined;
  }
  return {
    unit: 1,
    masks: encoding !== undefined && MULTIBYTE.has(encoding),
    // To browsers, us-ascii is windows-1252.
    utf8Queries: encoding === 'utf-8' || (encoding === undefined && !US_ASCII.test(name)),
    scannable: (text) => maskMultibyte(text, encoding),
    decode: (text) =>
      NOT_ASCII.test(text) || text.includes(ESCAPE) ? decode(text, encoding) : text,
    encode: (ascii) => ascii,
    characterAt: characterReader(bytes, encoding),
  };
}

function characterReader(bytes: string, encoding: string | undefined): Charset['characterAt'] {
  if (encoding === undefined || encoding === 'utf-8') {
    return utf8Character;
  }
  return MULTIBYTE.has(encoding)
    ? (_, at) => multibyteCharacter(bytes, at, encoding)
    : (text, at) => ({
        char: singleBytes(encoding)[text.charCodeAt(at) - 0x80] ?? UNKNOWN,
        units: 1,
      });
}

const UNKNOWN = '\ufffd';

function utf8Character(text: string, at: number): { char: string; units: number } {
  const lead = text.charCodeAt(at);
  const units = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const bytes = Buffer.from(text.slice(at, at + units), 'latin1');
  return isUtf8(bytes)
    ? { char: bytes.toString('utf8'), units: bytes.length }
    : { char: UNKNOWN, units: 1 };
}

const singleByteTables = new Map<string, readonly string[]>();

/** The characters of the bytes 0x80 to 0xff in a single-byte encoding. */
function singleBytes(encoding: string): readonly string[] {
  let table = singleByteTables.get(encoding);
  if (table === undefined) {
    table = Array.from(
      { length: 128 },
      (_, i) => decodeLegacy(String.fromCharCode(0x80 + i), encoding) ?? UNKNOWN,
    );
    singleByteTables.set(encoding, table);
  }
  return table;
}

const BYTE_ORDER_MARKS = [
  { bytes: '\xef\xbb\xbf', encoding: 'utf-8' },
  { bytes: '\xfe\xff', encoding: 'utf-16be' },
  { bytes: '\xff\xfe', encoding: 'utf-16le' },
] as const;

/**
 * The name of an encoding in the Encoding Standard by its label. Undefined for no label and
 * us-ascii, null if unknown.
 */
function encodingOf(name: string): string | undefined | null {
  if (name === '' || US_ASCII.test(name)) {
    return undefined;
  }
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return null;
  }
}

/** Decodes bytes. Without an encoding, valid UTF-8 is UTF-8. */
function decode(text: string, encoding: string | undefined): string | undefined {
  if (encoding !== undefined && encoding !== 'utf-8') {
    return decodeLegacy(text, encoding);
  }
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/**
 * UTF-16 (RFC 2781), whose byte order a mark decides. Programs disagree on the label `utf-16`
 * without a mark.
 */
function utf16(name: string, mark: string | undefined): Charset | undefined {
  const label = name.endsWith('be') ? 'utf-16be' : name.endsWith('le') ? 'utf-16le' : undefined;
  const encoding = mark ?? label;
  if (encoding === undefined || encoding === 'utf-8' || encoding !== (label ?? encoding)) {
    return undefined;
  }
  const bigEndian = encoding === 'utf-16be';
  const scannable = (text: string): string => {
    const units = Buffer.from(text.slice(0, text.length & ~1), 'latin1');
    return (bigEndian ? units.swap16() : units).toString('utf16le');
  };
  return {
    unit: 2,
    masks: false,
    utf8Queries: true,
    scannable,
    decode: scannable,
    characterAt(text, at) {
      const char = String.fromCodePoint(text.codePointAt(at) ?? 0xfffd);
      return { char, units: char.length };
    },
    encode: (ascii) => [...ascii].map((char) => (bigEndian ? `\0${char}` : `${char}\0`)).join(''),
  };
}

/**
 * Overwrites multi-byte characters, which may contain bytes that look like ASCII, so that a scanner
 * finds only real ASCII. The length does not change.
 */
export function maskMultibyte(text: string, encoding: string | undefined): string {
  switch (encoding) {
    case 'shift_jis':
    case 'big5':
    case 'euc-kr':
    case 'gbk':
    case 'gb18030':
      return masked(text, DOUBLE_BYTE[encoding]);
    case 'iso-2022-jp':
      return masked(text, TWO_BYTE_RUN);
    default:
      return text;
  }
}

/**
 * Overwrites each match. To replace them in the string would take hundreds of bytes of memory for
 * each.
 */
function masked(text: string, pattern: RegExp): string {
  if (!NOT_ASCII.test(text) && !text.includes(ESCAPE)) {
    return text;
  }
  const bytes = Buffer.from(text, 'latin1');
  for (const { index, 0: match } of text.matchAll(pattern)) {
    bytes.fill(BLOT, index, index + match.length);
  }
  return bytes.toString('latin1');
}

/**
 * The non-ASCII character at an offset and its length in bytes. The character is U+FFFD where the
 * bytes are not certain.
 *
 * At the start of an ISO-2022-JP run, only characters that end a URL are recognised. A link that
 * ran on into the run would be replaced together with the escape sequence, which would corrupt the
 * rest of the run.
 */
function multibyteCharacter(
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

const BLOT = 0xff;

/** Lead and trail bytes as the decoders of the Encoding Standard accept them. */
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
 * ISO-2022-JP (RFC 1468): a run from the escape sequence of a set other than ASCII and JIS-Roman up
 * to the next escape, or an escape sequence of those two, which ends in a letter.
 */
const TWO_BYTE_RUN = new RegExp(
  `${ESCAPE}(?:(?:\\$[@B]|\\$\\([@BD]|\\(I)[^${ESCAPE}]*|\\([BJ])`,
  'g',
);
const LONGEST_ESCAPE = 4;

/** Multi-byte encodings other than UTF-8 and UTF-16. */
export const MULTIBYTE: ReadonlySet<string> = new Set([
  ...Object.keys(DOUBLE_BYTE),
  'euc-jp',
  'iso-2022-jp',
]);

/**
 * Characters that Node 20 decodes where the Encoding Standard, which browsers follow, has something
 * else.
 */
const UNCERTAIN = /[\x80-\x9f\p{Co}\ufffd]/u;

/** Bytes that Node 20 decodes to wrong characters which look right. */
const MISREAD: ReadonlyMap<string, RegExp> = new Map([
  ['big5', /\xf9\xfe/],
  ['euc-jp', /\x8e[\xe0-\xe2]|\x8f\xf3/],
  ['koi8-u', /[\xae\xbe]/],
  ['shift_jis', /[^\t\n\r -~\x80-\xff]/],
  ['windows-1253', /\xaa/],
]);

/** The characters from 0x80 on, which Node 20 decodes as ISO-8859-1. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * Decodes bytes in a charset older than Unicode.
 *
 * @param encoding its name in the Encoding Standard
 * @returns undefined where the bytes are malformed, and where browsers might decode them
 * differently
 */
function decodeLegacy(bytes: string, encoding: string): string | undefined {
  if (MISREAD.get(encoding)?.test(bytes)) {
    return undefined;
  }
  const decoded = decodeLoosely(bytes, encoding);
  const text = encoding === 'windows-1252' ? decoded.replace(/[\x80-\x9f]/g, windows1252) : decoded;
  return UNCERTAIN.test(text) ? undefined : text;
}

function windows1252(byte: string): string {
  return WINDOWS_1252[byte.charCodeAt(0) - 0x80] as string;
}

/** Decoders by encoding. To create one takes longer than to decode a character. */
const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

/** Decodes bytes as Node does, with U+FFFD for malformed ones. */
function decodeLoosely(bytes: string, encoding: string): string {
  const decoder = decoders.get(encoding) ?? new TextDecoder(encoding);
  decoders.set(encoding, decoder);
  return decoder.decode(Buffer.from(bytes, 'latin1'));
}
