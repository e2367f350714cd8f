import type { Charset } from './charset.ts';
import { protectionByContent } from './content.ts';
import { scanPiece } from './html-links.ts';
import type { Candidate, Range, Scanned, TopPart } from './link.ts';
import { type Decoded, decodeQuotedPrintable } from './quoted-printable-decoder.ts';
import type { ReadingOptions } from './reading-options.ts';

/** A part that was read. Offsets are those of the raw bytes. */
export interface ReadInstance {
  readonly scanned: Scanned;
  /** Whether the part has a `=` that is literal. */
  readonly malformed: boolean;
  readonly charset: Charset;
}

/** A part that is kept, in pieces that begin and end at line ends in text. */
export interface KnownPart extends ReadInstance {
  readonly raw: Buffer;
  /** Where pieces begin, and the end of the last one. */
  readonly cuts: readonly number[];
  /** The options that decide, beside the bytes, how the part is read. */
  readonly part: TopPart;
  readonly charsetLabel: string;
  readonly unsubscribeLinks: ReadingOptions['unsubscribeLinks'];
}

/** The share of bytes that may differ. Parts that are less alike are quicker to read as a whole. */
const MAX_SHARE_READ = 1 / 2;
/** How many pieces are read at most, before the rest is one. */
const MAX_READ = 64;
/**
 * How many bytes have to be equal for the parts to agree again, and how far to search for them. V8
 * skips ahead by the last 250 bytes of what it searches for, and with more may compare them all at
 * each offset.
 */
const AGREE = 240;
const WINDOW = 16 * 1024;

/** Reads one instance of a part that is kept: only the pieces in which the two differ. */
export class InstanceReader {
  readonly #of: KnownPart;
  readonly #raw: Buffer;
  readonly #options: ReadingOptions;
  /** Bytes that may still be read. */
  #left: number;
  readonly #candidates: Candidate[] = [];
  readonly #marks: Range[] = [];
  #tags: number;
  #malformed: boolean;
  /** How many of the known links and marks were passed. */
  #passed = 0;
  #passedMarks = 0;

  constructor(of: KnownPart, raw: Buffer, options: ReadingOptions) {
    this.#of = of;
    this.#raw = raw;
    this.#options = options;
    this.#left = raw.length * MAX_SHARE_READ;
    this.#tags = of.scanned.tags;
    this.#malformed = of.malformed;
  }

  /** @returns undefined where the instance has to be read as a whole */
  read(): ReadInstance | undefined {
    const { cuts, charset } = this.#of;
    const { length } = this.#raw;
    let at = 0;
    let cut = 0;
    for (let reads = 0; at < length; reads++) {
      const start = cuts[cut] as number;
      cut = this.#lastEqual(at, cut);
      if (cut === 0) {
        return undefined; // a byte order mark at the start would decide the charset of all pieces
      }
      const end = cuts[cut] as number;
      this.#take(start, end, at - start);
      at += end - start;
      const next = reads < MAX_READ ? this.#agreement(at, cut) : undefined;
      if (next !== undefined && this.#readPiece(at, next.at)) {
        ({ at, cut } = next);
      } else if (at === length || this.#readPiece(at, length)) {
        at = length;
      } else {
        return undefined;
      }
    }
    if (this.#tags > this.#options.limits.links) {
      return undefined;
    }
    const [candidates, marks, tags] = [this.#candidates, this.#marks, this.#tags];
    const scanned = { candidates, marks, tags, base: undefined };
    return { scanned, malformed: this.#malformed, charset };
  }

  /** The last cut up to which the part has the same bytes from `at` on as the known one from `cut` on. */
  #lastEqual(at: number, cut: number): number {
    const { raw, cuts } = this.#of;
    const start = cuts[cut] as number;
    const equal = equalBytes(this.#raw, at, raw, start);
    let last = cut;
    while ((cuts[last + 1] ?? Infinity) - start <= equal) {
      last++;
    }
    // The known part may end within markup.
    const endsToo = at + raw.length - start === this.#raw.length;
    return last === cuts.length - 1 && !endsToo ? Math.max(cut, last - 1) : last;
  }

  /** Where behind `at` the part agrees again with the known one behind `cut`. */
  #agreement(at: number, cut: number): { at: number; cut: number } | undefined {
    const { raw, cuts } = this.#of;
    const window = this.#raw.subarray(at, at + WINDOW);
    for (let ahead = 1; cut + ahead < cuts.length - 1 && ahead <= MAX_AHEAD; ahead *= 2) {
      const start = cuts[cut + ahead] as number;
      const found = window.indexOf(raw.subarray(start, start + AGREE));
      if (found === 0 || (found > 0 && window[found - 1] === LF)) {
        return { at: at + found, cut: cut + ahead };
      }
    }
    return undefined;
  }

  /** Takes the known links between two cuts. */
  #take(from: number, to: number, shift: number): void {
    const { candidates, marks } = this.#of.scanned;
    let next = candidates[this.#passed];
    for (; next !== undefined && next.start < to; next = candidates[++this.#passed]) {
      const { start, end } = next;
      if (start >= from) {
        this.#candidates.push(shift === 0 ? next : candidateAt(next, start + shift, end + shift));
      }
    }
    let mark = marks[this.#passedMarks];
    for (; mark !== undefined && mark.start < to; mark = marks[++this.#passedMarks]) {
      const { start, end } = mark;
      if (start >= from) {
        this.#marks.push({ start: start + shift, end: end + shift });
      }
    }
  }

  /** Reads a piece. Gives false where that is not possible without the rest of the part. */
  #readPiece(start: number, end: number): boolean {
    this.#left -= end - start;
    if (this.#left < 0) {
      return false;
    }
    const isLast = end === this.#raw.length;
    const { charset } = this.#of;
    const { bytes, rawOf, malformed } = decodeQuotedPrintable(this.#raw.subarray(start, end));
    const scanned = scanPiece(
      bytes,
      this.#options,
      (from, to) => charset.decode(bytes.slice(from, to)),
      isLast,
    );
    // Behind a soft line break, the text goes on: it may make a tag of a `<`.
    const endsLine = isLast || start === end || bytes.endsWith('\n');
    if (scanned === undefined || !endsLine || protectionByContent(bytes) !== undefined) {
      return false;
    }
    const { candidates, marks, tags } = placed(scanned, rawOf, start);
    this.#candidates.push(...candidates);
    this.#marks.push(...marks);
    this.#tags += tags;
    this.#malformed ||= malformed;
    return true;
  }
}

/** How many cuts to look ahead, since a place may have more or fewer of them than before. */
const MAX_AHEAD = 8;

const LF = 0x0a;

const BLOCK = 1024;

/** How many bytes are the same in both. */
function equalBytes(a: Buffer, aStart: number, b: Buffer, bStart: number): number {
  const most = Math.min(a.length - aStart, b.length - bStart);
  let equal = 0;
  while (
    equal + BLOCK <= most &&
    a.compare(b, bStart + equal, bStart + equal + BLOCK, aStart + equal, aStart + equal + BLOCK) ===
      0
  ) {
    equal += BLOCK;
  }
  while (equal < most && a[aStart + equal] === b[bStart + equal]) {
    equal++;
  }
  return equal;
}

/** Links at raw offsets. */
export function placed(scanned: Scanned, rawOf: Decoded['rawOf'], shift: number): Scanned {
  const places = rawOf(scanned.candidates);
  return {
    candidates: scanned.candidates.map((candidate, index) => {
      const { start, end } = places[index] as Range;
      return candidateAt(candidate, start + shift, end + shift);
    }),
    marks: rawOf(scanned.marks.toSorted((a, b) => a.start - b.start)).map(({ start, end }) => ({
      start: start + shift,
      end: end + shift,
    })),
    base: scanned.base,
    tags: scanned.tags,
  };
}

/** Each member is named, because a spread takes many times as long. */
function candidateAt(candidate: Candidate, start: number, end: number): Candidate {
  return {
    start,
    end,
    written: candidate.written,
    host: candidate.host,
    hasSigns: candidate.hasSigns,
    escape: candidate.escape,
    reason: candidate.reason,
    name: candidate.name,
    sublink: candidate.sublink,
    unsubscribe: candidate.unsubscribe,
  };
}
