import { type LineEnd, lineEndAfter, wrap } from './quoted-printable-line.ts';
import type { Content, Edit, Refusal } from './splice.ts';

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** Value of a hexadecimal digit by its character code; 0x10 for what is none. */
const HEX = new Uint8Array(256).fill(0x10);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Every so many raw bytes the decoder notes where it stands, so that a decoded byte is found again. */
const STRIDE = 64;

/**
 * Quoted-printable (RFC 2045 §6.7). An edit replaces the raw bytes that stand for its own bytes; only where
 * its line grows past 76 columns soft line breaks are put in, within the new bytes and after them.
 *
 * A `=` that begins no escape stands for itself, as it does to every reader; within an edit it is refused.
 */
export function quotedPrintableContent(raw: Buffer): Content {
  const decoded = decode(raw);
  return {
    bytes: decoded.bytes,
    isLiteral: false,
    splice(edits) {
      const pieces: Buffer[] = [];
      const refused = new Map<Edit, Refusal>();
      let copied = 0;
      let column = 0;
      let line: LineEnd = { at: -1, bytes: '' };
      let last: number | undefined;
      const places = edits.map((edit) => ({
        edit,
        start: tokenAt(raw, decoded, edit.start).start,
        end: tokenAt(raw, decoded, edit.end - 1).end,
      }));
      for (const [index, { edit, start, end }] of places.entries()) {
        if (decoded.malformed && hasMalformedEscape(raw, start, end)) {
          refused.set(edit, 'malformed-encoding');
          continue;
        }
        const before = raw.subarray(copied, start);
        // Lines are short: stepping costs less than a call into native code.
        let lineStart = start;
        while (lineStart > copied && raw[lineStart - 1] !== LF) {
          lineStart--;
        }
        column = lineStart > copied ? start - lineStart : column + before.length;
        if (line.at < end) {
          line = lineEndAfter(raw, end);
        }
        const restEnd = Math.min(line.at, places[index + 1]?.start ?? line.at);
        const wrapped = wrap(edit.bytes, column, restEnd - end, restEnd === line.at, line.bytes);
        last = before.length > 0 ? before[before.length - 1] : last;
        // A blank that now ends its line would be lost as padding: a soft line break keeps it.
        const exposed = wrapped.text === '' && isBlank(last) && isLineEnd(raw, blankEnd(raw, end));
        const text = exposed ? `=${line.bytes}` : wrapped.text;
        last = text === '' ? last : text.charCodeAt(text.length - 1);
        pieces.push(before, Buffer.from(text, 'latin1'));
        column = wrapped.column;
        copied = end;
      }
      pieces.push(raw.subarray(copied));
      return { raw: pieces, refused };
    },
  };
}

interface Decoded {
  readonly bytes: string;
  /** Offsets of the same byte in the raw and in the decoded part, ascending. */
  readonly rawMarks: readonly number[];
  readonly decodedMarks: readonly number[];
  /** Whether there is a `=` that begins neither an escape nor a soft line break. */
  readonly malformed: boolean;
}

/** Decoding is synchronous and ends in a string: it needs no memory of its own for each message. */
const SCRATCH = Buffer.allocUnsafeSlow(512 * 1024);

function decode(raw: Buffer): Decoded {
  const bytes = raw.length <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(raw.length);
  const rawMarks: number[] = [0];
  const decodedMarks: number[] = [0];
  const length = raw.length;
  let malformed = false;
  /** Where what stands for itself began: white space before it is not looked at. */
  let literal = 0;
  let nextMark = STRIDE;
  let at = 0;
  let to = 0;
  // No closure: what one shares with the loop would live on the heap, and be fetched from there for every letter.
  for (;;) {
    if (at >= nextMark) {
      rawMarks.push(at);
      decodedMarks.push(to);
      nextMark = at + STRIDE;
    }
    const stop = Math.min(length, nextMark);
    let byte = raw[at] as number;
    // Nothing but these two is looked at: every other question would be asked of every letter.
    while (at < stop && byte !== EQUALS && byte !== LF) {
      bytes[to++] = byte;
      byte = raw[++at] as number;
    }
    if (at === length) {
      break;
    }
    if (at === stop) {
      continue;
    }
    if (byte === LF) {
      const ending = raw[at - 1] === CR ? 1 : 0;
      if (isBlank(raw[at - 1 - ending])) {
        to -= ending + paddingBefore(raw, at - ending, literal);
        forgetMarksBehind(to, rawMarks, decodedMarks);
        if (ending === 1) {
          bytes[to++] = CR;
        }
      }
      bytes[to++] = LF;
      at++;
      continue;
    }
    const value = escaped(raw, at);
    const end = value < 0 ? softBreakEnd(raw, at) : at + 3;
    if (value >= 0) {
      bytes[to++] = value;
    } else if (end === at) {
      malformed = true;
      bytes[to++] = EQUALS;
    }
    at = Math.max(end, at + 1);
    literal = at;
  }
  if (isBlank(raw[length - 1])) {
    to -= paddingBefore(raw, length, literal);
    forgetMarksBehind(to, rawMarks, decodedMarks);
  }
  return { bytes: bytes.toString('latin1', 0, to), rawMarks, decodedMarks, malformed };
}

/** How many blanks stand before a line end: padding of the transport. */
function paddingBefore(raw: Buffer, end: number, literal: number): number {
  let start = end;
  while (start > literal && isBlank(raw[start - 1])) {
    start--;
  }
  return end - start;
}

function forgetMarksBehind(offset: number, rawMarks: number[], decodedMarks: number[]): void {
  while ((decodedMarks.at(-1) ?? 0) > offset) {
    rawMarks.pop();
    decodedMarks.pop();
  }
}

/** The raw bytes that stand for one decoded byte. */
function tokenAt(raw: Buffer, decoded: Decoded, offset: number): { start: number; end: number } {
  const mark = lastAtOrBefore(decoded.decodedMarks, offset);
  let at = decoded.rawMarks[mark] as number;
  let left = offset - (decoded.decodedMarks[mark] as number);
  for (;;) {
    const byte = raw[at];
    let end = at + 1;
    if (byte === EQUALS) {
      if (escaped(raw, at) >= 0) {
        end = at + 3;
      } else {
        const next = softBreakEnd(raw, at);
        if (next > at) {
          at = next;
          continue;
        }
      }
    } else if (byte === SPACE || byte === TAB) {
      const run = blankEnd(raw, at);
      if (isLineEnd(raw, run)) {
        at = run;
        continue;
      }
      const skipped = Math.min(left, run - at - 1);
      at += skipped;
      left -= skipped;
      end = at + 1;
    }
    if (left === 0) {
      return { start: at, end };
    }
    left--;
    at = end;
  }
}

/** The byte an escape at this place stands for, or -1 where there is none. */
function escaped(raw: Buffer, at: number): number {
  const high = HEX[raw[at + 1] ?? 0] as number;
  const low = HEX[raw[at + 2] ?? 0] as number;
  return high < 16 && low < 16 ? high * 16 + low : -1;
}

/** Where the soft line break that begins at a `=` ends, its line end included; `at` itself where there is none. */
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

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function blankEnd(raw: Buffer, from: number): number {
  let end = from;
  while (isBlank(raw[end])) {
    end++;
  }
  return end;
}

/** Whether a line ends here: white space before it is padding of the transport. */
function isLineEnd(raw: Buffer, at: number): boolean {
  return at === raw.length || raw[at] === LF || (raw[at] === CR && raw[at + 1] === LF);
}

/**
 * Whether the bytes hold, or stand close behind, a `=` that is neither escape nor soft line break: then
 * the sender did not encode them, and new bytes might complete an escape.
 */
function hasMalformedEscape(raw: Buffer, start: number, end: number): boolean {
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

/** Index of the last of the ascending numbers that is at most `value`; the first is never greater. */
function lastAtOrBefore(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ascending[middle] as number) <= value) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}
