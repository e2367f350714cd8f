import { type Content, type Edit, patched, type RawPatch, type Refusal } from './splice.ts';

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
