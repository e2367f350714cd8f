import { isUtf8 } from 'node:buffer';
import { decodeLegacy } from './legacy-decoder.ts';
import { MULTIBYTE, maskMultibyte, multibyteCharacter } from './multibyte.ts';

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
  const mark = MARKS.find(({ bytes: mark }) => bytes.startsWith(mark))?.encoding;
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

const MARKS = [
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
