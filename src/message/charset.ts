import { isUtf8 } from 'node:buffer';
import {
  type Character,
  decodeLegacy,
  isAscii,
  legacyReader,
  MULTIBYTE,
  maskMultibyte,
  UNKNOWN,
} from './legacy-encodings.ts';

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
  characterAt(text: string, at: number): Character;
}

const US_ASCII = /^(?:us-)?ascii$/;

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
  if (/^utf-?16|^ucs-2|^(?:cs)?unicode(?:feff|fffe)?$|^iso-10646-ucs-2/.test(name)) {
    return utf16(name, mark);
  }
  const encoding = encodingOf(name);
  if (encoding === null || (mark !== undefined && mark !== (encoding ?? 'utf-8'))) {
    return undefined;
  }
  const isLabelledAscii = US_ASCII.test(name) && mark === undefined;
  return {
    unit: 1,
    masks: encoding !== undefined && MULTIBYTE.has(encoding),
    // To browsers, us-ascii is windows-1252. Other programs take other bytes for UTF-8.
    utf8Queries: encoding === 'utf-8' || (encoding === undefined && !US_ASCII.test(name)),
    scannable: (text) => maskMultibyte(text, encoding),
    decode(text) {
      if (isAscii(text)) return text;
      return isLabelledAscii ? undefined : decode(text, encoding);
    },
    encode: (ascii) => ascii,
    characterAt: isLegacy(encoding) ? legacyReader(bytes, encoding) : utf8Character,
  };
}

function isLegacy(encoding: string | undefined): encoding is string {
  return encoding !== undefined && encoding !== 'utf-8';
}

function utf8Character(text: string, at: number): Character {
  const lead = text.charCodeAt(at);
  const units = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const bytes = Buffer.from(text.slice(at, at + units), 'latin1');
  return isUtf8(bytes)
    ? { char: bytes.toString('utf8'), units: bytes.length }
    : { char: UNKNOWN, units: 1 };
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
  if (isLegacy(encoding)) {
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
