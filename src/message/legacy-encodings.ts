/* The encodings of text older than Unicode, by their names in the Encoding Standard. */

/** A non-ASCII character. It is U+FFFD where the bytes are malformed or ambiguous. */
export interface Character {
  readonly char: string;
  /** Its length in the string that was read. */
  readonly units: number;
}

export const UNKNOWN = '\ufffd';

const NOT_ASCII = /[^\0-\x7f]/;
/** The first character of the escape sequences of ISO-2022-JP. */
const ESCAPE = '\x1b';

/** Whether bytes are ASCII in every encoding. */
export function isAscii(bytes: string): boolean {
  return !NOT_ASCII.test(bytes) && !bytes.includes(ESCAPE);
}

/**
 * Makes a reader of the non-ASCII character at an offset.
 * @param bytes of the whole part
 */
export function legacyReader(
  bytes: string,
  encoding: string,
): (text: string, at: number) => Character {
  return MULTIBYTE.has(encoding)
    ? (_, at) => multibyteCharacter(bytes, at, encoding)
    : (text, at) => ({
        char: singleBytes(encoding)[text.charCodeAt(at) - 0x80] ?? UNKNOWN,
        units: 1,
      });
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
  if (isAscii(text)) {
    return text;
  }
  const bytes = Buffer.from(text, 'latin1');
  for (const { index, 0: match } of text.matchAll(pattern)) {
    bytes.fill(BLOT, index, index + match.length);
  }
  return bytes.toString('latin1');
}

/**
 * The character at an offset of the bytes.
 *
 * At the start of an ISO-2022-JP run, only characters that end a URL are recognised. A link that
 * ran on into the run would be replaced together with the escape sequence, which would corrupt the
 * rest of the run.
 */
function multibyteCharacter(bytes: string, at: number, encoding: string): Character {
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
export function decodeLegacy(bytes: string, encoding: string): string | undefined {
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
