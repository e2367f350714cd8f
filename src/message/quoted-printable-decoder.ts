import type { Range } from './link.ts';

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** The value of a hexadecimal digit by its character code. 0x10 for all other characters. */
const HEX = new Uint8Array(256).fill(0x10);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Text that was quoted-printable (RFC 2045 §6.7), with its origin. */
export interface Decoded {
  /** One latin1 character per byte. */
  readonly bytes: string;
  /** Whether a `=` begins neither an escape nor a soft line break. Such a `=` is literal. */
  readonly malformed: boolean;
  /** The raw bytes of decoded bytes, which are ascending. Works until other content is decoded. */
  rawOf(ranges: readonly Range[]): Range[];
  /** The decoded bytes of ranges that `rawOf` gave, as long as that works. */
  decodedOf(ranges: readonly Range[]): Range[];
}

/**
 * Decodes any bytes, well-formed or not. Most bytes are literal and are copied four at a time,
 * because a look at each byte would be the most expensive step of all that is done to a message.
 */
export function decodeQuotedPrintable(raw: Buffer): Decoded {
  const { input, inputWords, output, outputWords } = workspaceFor(raw.length);
  input.set(raw);
  inputWords.setInt32(raw.length, FOUR_EQUALS, true); // ends every search
  const marks = new Marks();
  let malformed = false;
  /** The start of the literal bytes. White space before it was encoded, and is not padding. */
  let literal = 0;
  let at = 0;
  let to = 0;
  for (;;) {
    let word = inputWords.getInt32(at, true);
    let stops = equalsOrLineFeedIn(word);
    while (stops === 0) {
      outputWords.setInt32(to, word, true);
      at += 4;
      to += 4;
      word = inputWords.getInt32(at, true);
      stops = equalsOrLineFeedIn(word);
    }
    outputWords.setInt32(to, word, true); // bytes from the stop on are overwritten
    const before = bytesBefore(stops);
    at += before;
    to += before;
    if (at >= raw.length) {
      break;
    }
    if (input[at] === LF) {
      const ending = raw[at - 1] === CR ? 1 : 0;
      if (isBlank(raw[at - 1 - ending])) {
        to -= ending + paddingBefore(raw, at - ending, literal);
        marks.add(at - ending, to);
        if (ending === 1) {
          output[to++] = CR;
        }
      }
      output[to++] = LF;
      at++;
      continue;
    }
    const value = escaped(input, at);
    if (value >= 0) {
      output[to++] = value;
      at += 3;
    } else {
      const end = softBreakEnd(raw, at);
      if (end === at) {
        malformed = true;
        output[to++] = EQUALS;
      }
      at = Math.max(end, at + 1);
    }
    literal = at;
    marks.add(at, to);
  }
  if (isBlank(raw[raw.length - 1])) {
    to -= paddingBefore(raw, raw.length, literal);
  }
  return {
    bytes: output.toString('latin1', 0, to),
    malformed,
    rawOf(ranges) {
      const origin = marks.offsets(DECODED, RAW);
      return ranges.map(({ start, end }) => {
        const first = origin(start);
        // Of an empty range it is the byte before, behind which the range begins and ends.
        const last = origin(end - 1);
        return {
          start: first,
          end: last + (raw[last] === EQUALS && escaped(raw, last) >= 0 ? 3 : 1),
        };
      });
    },
    decodedOf(ranges) {
      const decoded = marks.offsets(RAW, DECODED);
      return ranges.map(({ start, end }) => ({ start: decoded(start), end: decoded(end) }));
    },
  };
}

const FOUR_EQUALS = 0x3d3d3d3d;
const FOUR_LINE_FEEDS = 0x0a0a0a0a;

/**
 * Sets the highest bit of each byte of a word that is a `=` or a line feed. The lowest bit set is
 * always right; higher bits may be wrong.
 */
function equalsOrLineFeedIn(word: number): number {
  const equals = word ^ FOUR_EQUALS;
  const feeds = word ^ FOUR_LINE_FEEDS;
  // Of the bytes below 0x80, only 0 borrows when 1 is subtracted.
  return (((equals - 0x01010101) & ~equals) | ((feeds - 0x01010101) & ~feeds)) & 0x80808080;
}

/** The number of bytes before the byte with the lowest bit set. */
function bytesBefore(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3;
}

interface Workspace {
  readonly input: Buffer;
  readonly inputWords: DataView;
  readonly output: Buffer;
  readonly outputWords: DataView;
}

/** Decoding is synchronous and ends in a string, so all parts share their memory. */
const SHARED_SIZE = 512 * 1024;
const SHARED = workspace(SHARED_SIZE);

function workspaceFor(length: number): Workspace {
  return length <= SHARED_SIZE ? SHARED : workspace(length);
}

function workspace(length: number): Workspace {
  // A word may begin at the last byte, and another may follow it.
  const input = Buffer.allocUnsafeSlow(length + 8);
  const output = Buffer.allocUnsafeSlow(length + 8);
  return {
    input,
    inputWords: new DataView(input.buffer),
    output,
    outputWords: new DataView(output.buffer),
  };
}

/**
 * Raw and decoded offsets of the content that was decoded last, in turn. All parts share this
 * memory, too, but for those with very many.
 */
const SHARED_MARKS = new Int32Array(64 * 1024);
/** Whose marks they are. */
let decodings = 0;

/** Which offset of a mark. */
type Side = typeof RAW | typeof DECODED;
const RAW = 0;
const DECODED = 1;

/**
 * Ascending offsets of the same byte in the raw and in the decoded text. From one to the next,
 * bytes are literal.
 */
class Marks {
  readonly #decoding = ++decodings;
  #offsets = SHARED_MARKS;
  #length = 0;

  constructor() {
    this.add(0, 0);
  }

  add(raw: number, decoded: number): void {
    if (this.#length === this.#offsets.length) {
      const longer = new Int32Array(2 * this.#length);
      longer.set(this.#offsets);
      this.#offsets = longer;
    }
    this.#offsets[this.#length++] = raw;
    this.#offsets[this.#length++] = decoded;
  }

  /**
   * Gives a function from raw to decoded offsets, or from decoded to raw ones. It must be called
   * with ascending offsets.
   *
   * @throws Error once other content was decoded
   */
  offsets(from: Side, to: Side): (offset: number) => number {
    if (this.#decoding !== decodings) {
      throw new Error('quoted-printable: offsets: expected no other content to be decoded before');
    }
    const offsets = this.#offsets;
    const last = this.#length - 2;
    let mark = 0;
    return (offset) => {
      while (mark < last && (offsets[mark + 2 + from] as number) <= offset) {
        mark += 2;
      }
      return (offsets[mark + to] as number) + offset - (offsets[mark + from] as number);
    };
  }
}

/** The number of literal blanks before a line end, which are padding of the transport. */
function paddingBefore(raw: Buffer, end: number, literal: number): number {
  let start = end;
  while (start > literal && isBlank(raw[start - 1])) {
    start--;
  }
  return end - start;
}

/** The byte that an escape at an offset encodes, or -1 where there is no escape. */
function escaped(raw: Buffer, at: number): number {
  const high = HEX[raw[at + 1] ?? 0] as number;
  const low = HEX[raw[at + 2] ?? 0] as number;
  return high < 16 && low < 16 ? high * 16 + low : -1;
}

/**
 * The end of the soft line break that begins at a `=`, with its line end, or `at` where there is
 * none.
 */
function softBreakEnd(raw: Buffer, at: number): number {
  const end = blankEnd(raw, at + 1);
  if (end === raw.length) {
    return end;
  }
  if (raw[end] === LF) {
    return end + 1;
  }
  return raw[end] === CR && raw[end + 1] === LF ? end + 2 : at;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

export function blankEnd(raw: Buffer, from: number): number {
  let end = from;
  while (isBlank(raw[end])) {
    end++;
  }
  return end;
}

/**
 * Whether the bytes contain, or closely follow, a `=` that begins neither an escape nor a soft line
 * break. The sender did not encode these bytes, and new bytes might complete an escape.
 */
export function hasMalformedEscape(raw: Buffer, start: number, end: number): boolean {
  if (raw[start - 1] === EQUALS || (raw[start - 2] === EQUALS && raw[start - 1] !== LF)) {
    return true;
  }
  for (let at = start; at < end; at++) {
    if (raw[at] === EQUALS) {
      const next = escaped(raw, at) >= 0 ? at + 3 : softBreakEnd(raw, at);
      if (next === at) {
        return true;
      }
      at = next - 1;
    }
  }
  return false;
}
