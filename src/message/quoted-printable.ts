import type { Range } from './candidate.ts';
import {
  blankEnd,
  decodeQuotedPrintable,
  hasMalformedEscape,
  isBlank,
} from './quoted-printable-decoder.ts';
import { type LineEnd, lineEndAfter, lineStartBefore, wrap } from './quoted-printable-line.ts';
import { type Content, type Edit, patched, type RawPatch, type Refusal } from './splice.ts';

const LF = 0x0a;
const CR = 0x0d;

/**
 * Quoted-printable (RFC 2045 §6.7). An edit replaces the raw bytes that stand for its own bytes; only where
 * its line grows past 76 columns soft line breaks are put in, within the new bytes and after them.
 *
 * A `=` that begins no escape stands for itself, as it does to every reader; within an edit it is refused.
 */
export function quotedPrintableContent(raw: Buffer): Content {
  const decoded = decodeQuotedPrintable(raw);
  return {
    bytes: decoded.bytes,
    isLiteral: false,
    splice(edits) {
      const patches: RawPatch[] = [];
      const refused = new Map<Edit, Refusal>();
      let copied = 0;
      let column = 0;
      let line: LineEnd = { at: -1, bytes: '' };
      let last: number | undefined;
      const places = decoded.rawOf(edits);
      for (const [index, edit] of edits.entries()) {
        const { start, end } = places[index] as Range;
        if (decoded.malformed && hasMalformedEscape(raw, start, end)) {
          refused.set(edit, 'malformed-encoding');
          continue;
        }
        const lineStart = lineStartBefore(raw, start, copied);
        column = lineStart > copied ? start - lineStart : column + start - copied;
        if (line.at < end) {
          line = lineEndAfter(raw, end);
        }
        const restEnd = Math.min(line.at, places[index + 1]?.start ?? line.at);
        const wrapped = wrap(edit.bytes, column, restEnd - end, restEnd === line.at, line.bytes);
        last = start > copied ? raw[start - 1] : last;
        // A blank that now ends its line would be lost as padding: a soft line break keeps it.
        const exposed = wrapped.text === '' && isBlank(last) && isLineEnd(raw, blankEnd(raw, end));
        const text = exposed ? `=${line.bytes}` : wrapped.text;
        last = text === '' ? last : text.charCodeAt(text.length - 1);
        patches.push({ start, end, text });
        column = wrapped.column;
        copied = end;
      }
      return { raw: patched(raw, patches), refused };
    },
  };
}

/** Whether a line ends here: white space before it is padding of the transport. */
function isLineEnd(raw: Buffer, at: number): boolean {
  return at === raw.length || raw[at] === LF || (raw[at] === CR && raw[at + 1] === LF);
}
