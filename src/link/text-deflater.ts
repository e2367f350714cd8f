import { constants, deflateRawSync } from 'node:zlib';

/**
 * Lengths in bits of the codes of literals and lengths (RFC 1951, 3.2.7), a hex digit each, from counts over the records
 * of many messages.
 */
const LITERALS = [
  'eeeeeeeeee9eeeeeeeeeeeeeeeeeeeee7b9dddadddddb6a75555555555ada8a8',
  '988888888888888888888888888dadd8d55555577687766678666777878ddade',
  'd'.repeat(128),
  'ad6677789aa99b867889a699bdddcc',
].join('');
const DISTANCES = '789999997965442544443546699988';
/** The same of the fixed codes (3.2.6), which need no table in the output: better for a short text. */
const FIXED_LITERALS = ['8'.repeat(144), '9'.repeat(112), '7'.repeat(24), '8'.repeat(8)].join('');
const FIXED_DISTANCES = '5'.repeat(30);
/** Characters. */
const SHORT = 1_000;

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const MIN_MATCH = 4;
const MAX_MATCH = 258;
const END_OF_BLOCK = 256;
/** What a distance may reach back. */
const WINDOW = 32_768;
const HASH_BITS = 11;

/**
 * Deflates texts of some KB against a preset dictionary, as zlib does at its fastest level, in less than half the time:
 * zlib clears 250 KB of tables for each text, which is more than all else of a message touches. The codes are preset
 * as well, so that the text is gone through once.
 */
export class TextDeflater {
  readonly #dictionary: Buffer;
  /** Dictionary and text. */
  readonly #bytes: Buffer;
  /** Never written beyond: no code is longer than 14 bits. */
  readonly #out = Buffer.alloc(2 * WINDOW);
  /** By hash of four bytes: where they were last, and which they are. */
  readonly #places = new Uint16Array(1 << HASH_BITS);
  readonly #fours = new Int32Array(1 << HASH_BITS);
  /** Both as they are after the dictionary. */
  readonly #presetPlaces: Uint16Array;
  readonly #presetFours: Int32Array;

  constructor(dictionary: Buffer) {
    this.#dictionary = dictionary;
    this.#bytes = Buffer.alloc(WINDOW + MIN_MATCH);
    dictionary.copy(this.#bytes);
    for (let at = 0; at + MIN_MATCH <= dictionary.length; at++) this.#note(at);
    this.#presetPlaces = this.#places.slice();
    this.#presetFours = this.#fours.slice();
  }

  /**
   * @param texts one after another: joining them would cost a copy
   * @param first a byte that comes before what is deflated
   */
  deflate(texts: readonly string[], first: number): Buffer {
    const start = this.#dictionary.length;
    const bytes = this.#bytes;
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    // A character has at most three bytes.
    if (start + length * 3 > WINDOW && start + Buffer.byteLength(texts.join('')) > WINDOW) {
      const options = { level: constants.Z_BEST_SPEED, dictionary: this.#dictionary };
      return Buffer.concat([Buffer.of(first), deflateRawSync(texts.join(''), options)]);
    }
    let end = start;
    for (const text of texts) end += bytes.write(text, end);
    const places = this.#places;
    const fours = this.#fours;
    places.set(this.#presetPlaces);
    fours.set(this.#presetFours);
    const codes = length < SHORT ? FIXED : PRESET;
    const { literals, literalBits, lengths, lengthBits, distances, distanceBits } = codes;
    const out = this.#out;
    out[0] = first;
    let size = 1 + codes.head.copy(out, 1);
    // Bits that fill no byte yet, and how many there are.
    let bits = codes.rest;
    let count = codes.restBits;

    let at = start;
    let four = fourAt(bytes, at);
    while (at + MIN_MATCH < end) {
      const slot = slotOf(four);
      const place = places[slot] as number;
      const isMatch = fours[slot] === four;
      places[slot] = at;
      fours[slot] = four;
      if (!isMatch) {
        const byte = four & 0xff;
        bits |= (literals[byte] as number) << count;
        count += literalBits[byte] as number;
        four = (four >>> 8) | ((bytes[at + MIN_MATCH] as number) << 24);
        at++;
      } else {
        const most = Math.min(end - at, MAX_MATCH);
        let length = MIN_MATCH;
        while (length < most && bytes[place + length] === bytes[at + length]) length++;
        bits |= (lengths[length] as number) << count;
        count += lengthBits[length] as number;
        while (count >= 8) {
          out[size++] = bits;
          bits >>>= 8;
          count -= 8;
        }
        const distance = at - place;
        const code = distanceCode(distance);
        const extra = distance - (DISTANCE_BASE[code] as number);
        bits |= ((distances[code] as number) | (extra << (distanceBits[code] as number))) << count;
        count += (distanceBits[code] as number) + distanceExtra(code);
        this.#note(at + 1);
        at += length;
        four = fourAt(bytes, at);
      }
      while (count >= 8) {
        out[size++] = bits;
        bits >>>= 8;
        count -= 8;
      }
    }
    for (; at <= end; at++) {
      const symbol = at < end ? (bytes[at] as number) : END_OF_BLOCK;
      bits |= (literals[symbol] as number) << count;
      count += literalBits[symbol] as number;
      while (count >= 8) {
        out[size++] = bits;
        bits >>>= 8;
        count -= 8;
      }
    }
    if (count > 0) out[size++] = bits;
    return Buffer.from(out.subarray(0, size));
  }

  #note(at: number): void {
    const four = fourAt(this.#bytes, at);
    const slot = slotOf(four);
    this.#places[slot] = at;
    this.#fours[slot] = four;
  }
}

function fourAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function slotOf(four: number): number {
  return Math.imul(four, 0x9e3779b1) >>> (32 - HASH_BITS);
}

/** Codes as they are written: with the bits turned round, and of lengths with the extra bits behind them. */
class Codes {
  readonly literals: Uint16Array;
  readonly literalBits: Uint8Array;
  /** By length. */
  readonly lengths = new Uint32Array(MAX_MATCH + 1);
  readonly lengthBits = new Uint8Array(MAX_MATCH + 1);
  /** By code: see `distanceCode`. */
  readonly distances: Uint16Array;
  readonly distanceBits: Uint8Array;
  /** What a block of these codes begins with, in whole bytes, and the bits that are left. */
  readonly head: Buffer;
  readonly rest: number;
  readonly restBits: number;

  constructor(literals: string, distances: string, head: readonly Bits[]) {
    this.literalBits = lengthsOf(literals);
    this.literals = codesOf(this.literalBits);
    this.distanceBits = lengthsOf(distances);
    this.distances = codesOf(this.distanceBits);
    for (let length = 3, code = 0; length <= MAX_MATCH; length++) {
      if (length === LENGTH_BASE[code + 1]) code++;
      const bits = this.literalBits[END_OF_BLOCK + 1 + code] as number;
      const extra = length - (LENGTH_BASE[code] as number);
      this.lengths[length] = (this.literals[END_OF_BLOCK + 1 + code] as number) | (extra << bits);
      this.lengthBits[length] = bits + lengthExtra(code);
    }
    const bits = head.flatMap(([value, count]) =>
      Array.from({ length: count }, (_, i) => (value >> i) & 1),
    );
    const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
      bits.slice(i * 8, i * 8 + 8).reduce((byte, bit, n) => byte | (bit << n), 0),
    );
    this.restBits = bits.length % 8;
    this.rest = this.restBits > 0 ? (bytes.pop() as number) : 0;
    this.head = Buffer.from(bytes);
  }
}

/** A number, lowest bit first, and how many bits it is written with. */
type Bits = readonly [value: number, count: number];

/** The last block, and of which kind. */
const FIXED_HEAD: readonly Bits[] = [
  [1, 1],
  [1, 2],
];

/** The order in which the lengths of the codes of lengths come (3.2.7), and what they are here. */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const CODE_LENGTHS = Uint8Array.of(0, 0, 7, 7, 5, 4, 4, 3, 3, 4, 4, 5, 6, 2, 5, 0, 3, 0, 0);
const REPEAT = 16;

/** The last block, its kind, and its codes (3.2.7). */
function headWith(literals: string, distances: string): Bits[] {
  const lengths = [...lengthsOf(literals + distances)];
  const written: [symbol: number, extra?: Bits][] = [];
  for (let i = 0; i < lengths.length; ) {
    let same = 1;
    while (same < 7 && lengths[i + same] === lengths[i]) same++;
    written.push([lengths[i] as number]);
    if (same > 3) written.push([REPEAT, [same - 4, 2]]);
    i += same > 3 ? same : 1;
  }
  const codes = codesOf(CODE_LENGTHS);
  return [
    [1, 1],
    [2, 2],
    [literals.length - 257, 5],
    [distances.length - 1, 5],
    [CODE_LENGTH_ORDER.length - 4, 4],
    ...CODE_LENGTH_ORDER.map((symbol): Bits => [CODE_LENGTHS[symbol] as number, 3]),
    ...written.flatMap(([symbol, extra]): Bits[] => {
      const code: Bits = [codes[symbol] as number, CODE_LENGTHS[symbol] as number];
      return extra === undefined ? [code] : [code, extra];
    }),
  ];
}

function lengthsOf(digits: string): Uint8Array {
  return Uint8Array.from(digits, (digit) => Number.parseInt(digit, 16));
}

/** The codes that follow from their lengths (3.2.2), first bit lowest. */
function codesOf(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(lengths.length);
  let next = 0;
  for (let length = 1; length <= 15; length++) {
    next <<= 1;
    for (const [symbol, its] of lengths.entries()) {
      if (its !== length) continue;
      let code = next++;
      for (let bit = 0; bit < length; bit++, code >>= 1) {
        codes[symbol] = ((codes[symbol] as number) << 1) | (code & 1);
      }
    }
  }
  return codes;
}

function lengthExtra(code: number): number {
  return code < 8 || code === 28 ? 0 : (code >> 2) - 1;
}

function distanceExtra(code: number): number {
  return code < 4 ? 0 : (code >> 1) - 1;
}

/** Two codes for each power of two. */
function distanceCode(distance: number): number {
  if (distance <= 4) return distance - 1;
  const high = 31 - Math.clz32(distance - 1);
  return 2 * high + (((distance - 1) >> (high - 1)) & 1);
}

const FIXED = new Codes(FIXED_LITERALS, FIXED_DISTANCES, FIXED_HEAD);
const PRESET = new Codes(LITERALS, DISTANCES, headWith(LITERALS, DISTANCES));
