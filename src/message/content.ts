/** What is to stand in the place of the decoded bytes from start to end (at least one byte). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** One latin1 character a byte. */
  readonly bytes: string;
}

/** The content of a part behind its Content-Transfer-Encoding. */
export interface Content {
  /** The decoded bytes, one latin1 character each: offsets in the string are offsets in the bytes. */
  readonly bytes: string;
  /** 7bit, 8bit, binary: lines of the content are lines of the message. */
  readonly isLiteral: boolean;
  /** Makes edits, which come in order and do not overlap. */
  splice(edits: readonly Edit[]): Spliced;
}

export interface Spliced {
  /** The part as it is encoded, with the edits made. */
  readonly raw: Buffer;
  /** The edits that could not be made. */
  readonly refused: ReadonlyMap<Edit, Refusal>;
}

export type Refusal = 'line-too-long' | 'malformed-encoding';

/** Text, one latin1 character a byte, that is to stand in the place of raw bytes. */
export interface RawPatch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The raw bytes with the patches, which come in order and do not overlap. Joined as strings: for the many short pieces
 * of a part, that costs less than copying bytes.
 */
export function patched(raw: Buffer, patches: readonly RawPatch[]): Buffer {
  const original = raw.toString('latin1');
  const pieces: string[] = [];
  let copied = 0;
  for (const { start, end, text } of patches) {
    pieces.push(original.slice(copied, start), text);
    copied = end;
  }
  pieces.push(original.slice(copied));
  return Buffer.from(pieces.join(''), 'latin1');
}

const LF = 0x0a;
const CR = 0x0d;

/** 7bit, 8bit and binary: the bytes as they are. An edit that would make a line longer than `maxLine` is refused. */
export function literalContent(raw: Buffer, maxLine: number): Content {
  return {
    bytes: raw.toString('latin1'),
    isLiteral: true,
    splice(edits) {
      const patches: RawPatch[] = [];
      const refused = new Map<Edit, Refusal>();
      /** How far the line feeds are known, also past edits that were refused: lines may be endless. */
      let known = 0;
      /** Length of the new line up to `known`, and where the line ends in `raw`. */
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

/** Where the line that holds `from` ends, before its line end. */
function endOfLine(raw: Buffer, from: number): number {
  const lineFeed = raw.indexOf(LF, from);
  if (lineFeed === -1) {
    return raw.length;
  }
  return lineFeed > from && raw[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
}
