import type { Content, Edit, Refusal } from './splice.ts';

const LF = 0x0a;
const CR = 0x0d;

/** 7bit, 8bit and binary: the bytes as they are. An edit that would make a line longer than `maxLine` is refused. */
export function literalContent(raw: Buffer, maxLine: number): Content {
  return {
    bytes: raw.toString('latin1'),
    isLiteral: true,
    splice(edits) {
      const pieces: Buffer[] = [];
      const refused = new Map<Edit, Refusal>();
      let copied = 0;
      /** Length of the new line up to `copied`, and where the line ends in `raw`. */
      let column = 0;
      let lineEnd = -1;
      for (const edit of edits) {
        const before = raw.subarray(copied, edit.start);
        const lineFeed = before.lastIndexOf(LF);
        const start = lineFeed === -1 ? column + before.length : before.length - lineFeed - 1;
        if (lineEnd < edit.end) {
          lineEnd = endOfLine(raw, edit.end);
        }
        const grows = edit.bytes.length > edit.end - edit.start;
        if (grows && start + edit.bytes.length + lineEnd - edit.end > maxLine) {
          refused.set(edit, 'line-too-long');
          continue;
        }
        pieces.push(before, Buffer.from(edit.bytes, 'latin1'));
        copied = edit.end;
        column = start + edit.bytes.length;
      }
      pieces.push(raw.subarray(copied));
      return { raw: pieces, refused };
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
