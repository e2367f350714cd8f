import type { SkipReason } from './skip-reasons.ts';

/** Replaces the decoded bytes from start to end, which are at least one. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** One latin1 character per byte. */
  readonly bytes: string;
}

/** The content of a part behind its Content-Transfer-Encoding. */
export interface Content {
  /**
   * The decoded bytes, one latin1 character each: offsets in the string are offsets in the bytes.
   */
  readonly bytes: string;
  /** Whether lines of the content are lines of the message, as with 7bit, 8bit and binary. */
  readonly isLiteral: boolean;
  /** Applies edits, which are in order and do not overlap. */
  splice(edits: readonly Edit[]): Spliced;
}

export interface Spliced {
  /** The encoded part after the edits. */
  readonly raw: Buffer;
  /** Edits that are not possible, with the reason. */
  readonly refused: ReadonlyMap<Edit, Refusal>;
}

export type Refusal = 'line-too-long' | 'malformed-encoding';

/** Applies edits to a text, of which they have the offsets. */
export function edited(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let copied = 0;
  for (const { start, end, bytes } of edits) {
    pieces.push(text.slice(copied, start), bytes);
    copied = end;
  }
  return pieces.join('') + text.slice(copied);
}

/** Replaces raw bytes by text with one latin1 character per byte. */
export interface RawPatch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Applies patches, which are in order and do not overlap. */
export function patched(raw: Buffer, patches: readonly RawPatch[]): Buffer {
  let { length } = raw;
  for (const { start, end, text } of patches) {
    length += text.length - (end - start);
  }
  const result = Buffer.allocUnsafe(length);
  let copied = 0;
  let at = 0;
  for (const { start, end, text } of patches) {
    at += raw.copy(result, at, copied, start);
    at += result.write(text, at, 'latin1');
    copied = end;
  }
  raw.copy(result, at, copied);
  return result;
}

const LF = 0x0a;
const CR = 0x0d;

/**
 * Opens 7bit, 8bit or binary content. An edit that makes a line longer than `maxLine` is refused.
 */
export function literalContent(raw: Buffer, maxLine: number): Content {
  return {
    bytes: raw.toString('latin1'),
    isLiteral: true,
    splice(edits) {
      const patches: RawPatch[] = [];
      const refused = new Map<Edit, Refusal>();
      /**
       * Line feeds before this offset are known. It passes refused edits too, as lines may be very
       * long.
       */
      let known = 0;
      /** Length of the new line up to `known`, and the end of that line in `raw`. */
      let column = 0;
      let lineEnd = -1;
      for (const edit of edits) {
        const { start, end, bytes: text } = edit;
        const lineFeed = raw.subarray(known, start).lastIndexOf(LF);
        column = lineFeed === -1 ? column + start - known : start - known - lineFeed - 1;
        known = start;
        if (lineEnd < end) {
          lineEnd = endOfLine(raw, end);
        }
        const lengthens = text.length > end - start || raw.subarray(start, end).includes(LF);
        if (lengthens && column + text.length + lineEnd - end > maxLine) {
          refused.set(edit, 'line-too-long');
          continue;
        }
        patches.push({ start, end, text });
        column += text.length;
        known = end;
      }
      return { raw: patched(raw, patches), refused };
    },
  };
}

/** The end of the line that holds `from`, without its line end. */
function endOfLine(raw: Buffer, from: number): number {
  const lineFeed = raw.indexOf(LF, from);
  if (lineFeed === -1) {
    return raw.length;
  }
  return lineFeed > from && raw[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
}

/** Why inline PGP (RFC 9580 §6.2 and §7) forbids any change of the message. */
export function protectionByContent(content: string): SkipReason | undefined {
  // Hyphens are frequent: a search for them takes ten times as long.
  if (!content.includes('BEGIN PGP ')) {
    return undefined;
  }
  if (content.includes('-----BEGIN PGP SIGNED MESSAGE-----')) {
    return 'signed';
  }
  return content.includes('-----BEGIN PGP MESSAGE-----') ? 'encrypted' : undefined;
}
