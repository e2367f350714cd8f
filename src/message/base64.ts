import { type Content, patched } from './content.ts';

/**
 * Opens base64 content (RFC 2045 §6.8). Groups before the first edit keep their bytes. The rest is
 * encoded again, in lines as long as those of the original.
 *
 * @returns undefined where decoders disagree: foreign characters, data after the padding, or
 * missing padding
 */
export function base64Content(raw: Buffer): Content | undefined {
  const layout = layoutOf(raw);
  if (layout === undefined) {
    return undefined;
  }
  const decoded = Buffer.from(raw.toString('latin1', 0, layout.dataEnd), 'base64');
  return {
    bytes: decoded.toString('latin1'),
    isLiteral: false,
    splice(edits) {
      const [first] = edits;
      if (first === undefined) {
        return { raw, refused: new Map() };
      }
      const keptBytes = first.start - (first.start % 3);
      const kept = locate(raw, (keptBytes / 3) * 4);
      const patches = edits.map(({ start, end, bytes }) => ({ start, end, text: bytes }));
      const encoded = patched(decoded, patches).toString('base64', keptBytes);
      return {
        raw: Buffer.concat([
          raw.subarray(0, kept.offset),
          Buffer.from(wrap(encoded, kept.column, layout.width, layout.lineEnd), 'latin1'),
          raw.subarray(layout.dataEnd),
        ]),
        refused: new Map(),
      };
    },
  };
}

interface Layout {
  /** The end of the last character of data or padding. */
  readonly dataEnd: number;
  /** Characters in a full line. */
  readonly width: number;
  readonly lineEnd: string;
}

const DATA = 1;
const PADDING = 2;
const BLANK = 3;
const LINE_FEED = 4;
const KINDS = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  KINDS[char.charCodeAt(0)] = DATA;
}
KINDS[0x3d] = PADDING;
KINDS[0x20] = KINDS[0x09] = KINDS[0x0d] = BLANK;
KINDS[0x0a] = LINE_FEED;

function layoutOf(raw: Buffer): Layout | undefined {
  let data = 0;
  let padding = 0;
  let dataEnd = 0;
  let longest = 0;
  let lines = 0;
  let beforeLine = 0;
  for (let i = 0; i < raw.length; i++) {
    switch (KINDS[raw[i] as number]) {
      case DATA:
        if (padding > 0) {
          return undefined;
        }
        data++;
        dataEnd = i + 1;
        break;
      case PADDING:
        padding++;
        dataEnd = i + 1;
        break;
      case BLANK:
        break;
      case LINE_FEED:
        longest = Math.max(longest, data + padding - beforeLine);
        beforeLine = data + padding;
        lines++;
        break;
      default:
        return undefined;
    }
  }
  if ((data + padding) % 4 !== 0 || padding > 2) {
    return undefined;
  }
  longest = Math.max(longest, data + padding - beforeLine);
  const severalLines = longest < data + padding;
  const lineFeed = raw.indexOf(0x0a);
  return {
    dataEnd,
    width: severalLines ? longest : Math.max(76, longest),
    lineEnd: lines > 0 && raw[lineFeed - 1] !== 0x0d ? '\n' : '\r\n',
  };
}

/**
 * The offset of a character of data by its number, and the count of characters before it in its
 * line.
 */
function locate(raw: Buffer, number: number): { offset: number; column: number } {
  let seen = 0;
  let column = 0;
  let offset = 0;
  for (; offset < raw.length; offset++) {
    const kind = KINDS[raw[offset] as number];
    if (kind === DATA) {
      if (seen === number) {
        break;
      }
      seen++;
      column++;
    } else if (kind === LINE_FEED) {
      column = 0;
    }
  }
  return { offset, column };
}

function wrap(encoded: string, column: number, width: number, lineEnd: string): string {
  const lines: string[] = [];
  let at = 0;
  let room = width - column;
  while (encoded.length - at > room) {
    lines.push(encoded.slice(at, at + room));
    at += room;
    room = width;
  }
  lines.push(encoded.slice(at));
  return lines.join(lineEnd);
}
