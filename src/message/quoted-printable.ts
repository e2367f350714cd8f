import {
  type Edit,
  edited,
  patched,
  type RawPatch,
  type Refusal,
  type Spliced,
} from './content.ts';
import type { Range } from './link.ts';
import {
  blankEnd,
  decodeQuotedPrintable,
  hasMalformedEscape,
  isBlank,
} from './quoted-printable-decoder.ts';

const LF = 0x0a;
const CR = 0x0d;

/**
 * Applies edits to quoted-printable content (RFC 2045 §6.7). Where a line would pass 76 columns,
 * soft line breaks are inserted in the new bytes and after them.
 *
 * A `=` that does not begin an escape is literal, as it is to all readers. An edit that contains
 * one is refused.
 *
 * @param edits at raw offsets
 * @param malformed whether the content may have a literal `=`
 */
export function spliceQuotedPrintable(
  raw: Buffer,
  edits: readonly Edit[],
  malformed: boolean,
): Spliced {
  const patches: RawPatch[] = [];
  const refused = new Map<Edit, Refusal>();
  let copied = 0;
  let column = 0;
  let line: LineEnd = { at: -1, bytes: '' };
  let last: number | undefined;
  for (let index = 0; index < edits.length; index++) {
    const edit = edits[index] as Edit;
    const { start, end } = edit;
    if (malformed && hasMalformedEscape(raw, start, end)) {
      refused.set(edit, 'malformed-encoding');
      continue;
    }
    const lineStart = lineStartBefore(raw, start, copied);
    column = lineStart > copied ? start - lineStart : column + start - copied;
    if (line.at < end) {
      line = lineEndAfter(raw, end);
    }
    const restEnd = Math.min(line.at, edits[index + 1]?.start ?? line.at);
    const wrapped = wrap(edit.bytes, column, restEnd - end, restEnd === line.at, line.bytes);
    last = start > copied ? raw[start - 1] : last;
    // A blank that now ends its line would be lost as padding, so a soft line break protects
    // it.
    const exposed = wrapped.text === '' && isBlank(last) && isLineEnd(raw, blankEnd(raw, end));
    const text = exposed ? `=${line.bytes}` : wrapped.text;
    // New bytes do not end with a blank, which is encoded.
    last = text === '' ? last : undefined;
    patches.push({ start, end, text });
    column = wrapped.column;
    copied = end;
  }
  return { raw: patched(raw, patches), refused };
}

/** The decoded bytes of content with edits at raw offsets. */
export function decodedWith(raw: Buffer, edits: readonly Edit[]): string {
  const { bytes, decodedOf } = decodeQuotedPrintable(raw);
  const places = decodedOf(edits);
  return edited(
    bytes,
    edits.map((edit, index) => ({ ...(places[index] as Range), bytes: edit.bytes })),
  );
}

/** Whether a line ends at an offset. White space before a line end is padding of the transport. */
function isLineEnd(raw: Buffer, at: number): boolean {
  return at === raw.length || raw[at] === LF || (raw[at] === CR && raw[at + 1] === LF);
}

/** The longest line without its line end (RFC 2045 §6.7 (5)). */
const MAX_LINE = 76;

interface LineEnd {
  /** The offset of the line end. */
  readonly at: number;
  readonly bytes: string;
}

/** The start of the line that holds `from`, but not less than `limit`. */
function lineStartBefore(raw: Buffer, from: number, limit: number): number {
  // Lines are short, so a loop costs less than a call into native code.
  let at = from;
  while (at > limit && raw[at - 1] !== LF) {
    at--;
  }
  return at;
}

/**
 * The end of the line that holds `from`. A last line without a line end gets that of the first
 * line.
 */
function lineEndAfter(raw: Buffer, from: number): LineEnd {
  let at = from;
  while (at < raw.length && raw[at] !== LF) {
    at++;
  }
  if (at === raw.length) {
    const first = raw.indexOf(LF);
    return { at, bytes: first === -1 || raw[first - 1] === CR ? '\r\n' : '\n' };
  }
  return at > from && raw[at - 1] === CR ? { at: at - 1, bytes: '\r\n' } : { at, bytes: '\n' };
}

/**
 * Encodes new bytes.
 *
 * @param column bytes before them in their line
 * @param rest bytes after them, up to the end of the line or to the next edit
 */
function wrap(
  bytes: string,
  column: number,
  rest: number,
  restEndsLine: boolean,
  lineEnd: string,
): { text: string; column: number } {
  const room = (restEndsLine ? MAX_LINE : MAX_LINE - 1) - rest;
  const encoded = NEEDS_ESCAPE.test(bytes) ? bytes.replace(EVERY_ESCAPE, escapeOf) : bytes;
  if (column + encoded.length <= room) {
    return { text: encoded, column: column + encoded.length };
  }
  let text = '';
  let width = column;
  for (let at = 0; at < encoded.length; ) {
    const end = unitEnd(encoded, at + MAX_LINE - 1 - width);
    if (end > at) {
      text += encoded.slice(at, end);
      width += end - at;
      at = end;
    }
    if (at < encoded.length) {
      text += `=${lineEnd}`;
      width = 0;
    }
  }
  if (rest > 0 && width > Math.max(0, room)) {
    text += `=${lineEnd}`;
    width = 0;
  }
  return { text, column: width };
}

/** The last offset up to `end` that does not split an escape. */
function unitEnd(encoded: string, end: number): number {
  if (end >= encoded.length) {
    return encoded.length;
  }
  if (encoded[end - 1] === '=') {
    return end - 1;
  }
  return encoded[end - 2] === '=' ? end - 2 : end;
}

const NEEDS_ESCAPE = /[^!-<>-~]/;
const EVERY_ESCAPE = new RegExp(NEEDS_ESCAPE, 'g');

function escapeOf(char: string): string {
  return `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
