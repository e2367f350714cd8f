import { isUtf8 } from 'node:buffer';

/** How the bytes of a part stand for characters. */
export interface Charset {
  /** Bytes an ASCII character takes; also the bytes that one character of `scannable` stands for. */
  readonly unit: 1 | 2;
  /** Whether a browser sends non-ASCII characters of a query as UTF-8 when it reads a document in this charset. */
  readonly utf8Queries: boolean;
  /**
   * The bytes (one latin1 character each) as a string of as many units in which everything that looks like
   * ASCII is ASCII.
   */
  scannable(bytes: string): string;
  /** What a piece of the bytes says, or undefined where that is not certain. */
  decode(bytes: string): string | undefined;
  /** ASCII text as bytes. */
  encode(ascii: string): string;
  /**
   * The character that is not ASCII at an offset of the whole part as `scannable` gives it, and the units it takes:
   * U+FFFD where it cannot be made out.
   */
  characterAt(text: string, at: number): { char: string; units: number };
}

const NOT_ASCII = /[^\0-\x7f]/;
const US_ASCII = /^(?:us-)?ascii$/;
/** Begins the escape sequences of ISO-2022-JP. */
const ESCAPE = '\x1b';

/**
 * Finds out how to read a part.
 *
 * @param label the charset of the Content-Type; empty where there is none
 * @returns undefined where the text cannot be made out: UTF-7, UTF-32, UTF-16 that does not say which, what nobody here
 * knows, and where a byte order mark contradicts the label: browsers go by the mark, other programs by the label
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
    // Browsers take us-ascii for windows-1252.
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

/** The characters of 0x80 to 0xff in an encoding of single bytes. */
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

/** The encoding of the WHATWG standard behind a label; undefined for none and us-ascii, null for what is not known here. */
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

/** Bytes without a label are taken for UTF-8 where they are valid UTF-8. */
function decode(text: string, encoding: string | undefined): string | undefined {
  if (encoding !== undefined && encoding !== 'utf-8') {
    return decodeLegacy(text, encoding);
  }
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/** RFC 2781: a byte order mark decides; `utf-16` without one is read differently by everybody. */
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

const BLOT = '\xff';

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

/** What Node 20's decoders give where they and the Encoding Standard, which browsers follow, do not agree. */
const UNCERTAIN = /[\x80-\x9f\p{Co}\ufffd]/u;

/** Bytes for which they give something else that looks no different from what is right; control characters among them. */
const MISREAD: ReadonlyMap<string, RegExp> = new Map([
  ['big5', /\xf9\xfe/],
  ['euc-jp', /\x8e[\xe0-\xe2]|\x8f\xf3/],
  ['koi8-u', /[\xae\xbe]/],
  ['shift_jis', /[^\t\n\r -~\x80-\xff]/],
  ['windows-1253', /\xaa/],
]);

/** From 0x80 on: Node 20 decodes it as if it were ISO-8859-1. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * What bytes say in a charset older than Unicode.
 *
 * @param encoding its name in the Encoding Standard
 * @returns undefined where they are malformed, and where browsers might read something else
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

/** To make one takes longer than to decode a character. */
const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

/** The same with U+FFFD for what is malformed, and no more certain than Node is. */
function decodeLoosely(bytes: string, encoding: string): string {
  const decoder = decoders.get(encoding) ?? new TextDecoder(encoding);
  decoders.set(encoding, decoder);
  return decoder.decode(Buffer.from(bytes, 'latin1'));
}
