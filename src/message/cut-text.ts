import type { Range } from './link.ts';

/** A text without some of its ranges. */
export interface CutText {
  readonly text: string;
  /** The offset in the original of a character of the text. */
  origin(offset: number): number;
}

/** Pieces joined at a time. An array of all pieces would take many times the memory of the text. */
const AT_A_TIME = 10_000;

/**
 * Cuts ranges out of a text.
 *
 * @param ranges gives the ranges, in order and without overlap. It is called twice, the first time
 * to count them
 */
export function cutOut(text: string, ranges: () => Iterable<Range>): CutText {
  let count = 0;
  for (const _ of ranges()) {
    count++;
  }
  /** The start of each piece in the result and in the original. */
  const starts = new Uint32Array(count + 1);
  const origins = new Uint32Array(count + 1);
  const joined: string[] = [];
  let pieces: string[] = [];
  let length = 0;
  let piece = 0;
  let from = 0;
  const keep = (to: number): void => {
    starts[piece] = length;
    origins[piece++] = from;
    length += to - from;
    pieces.push(text.slice(from, to));
    if (pieces.length === AT_A_TIME) {
      joined.push(pieces.join(''));
      pieces = [];
    }
  };
  for (const { start, end } of ranges()) {
    keep(start);
    from = end;
  }
  keep(text.length);
  joined.push(pieces.join(''));
  return {
    text: joined.join(''),
    origin(offset) {
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((starts[middle] as number) <= offset) {
          low = middle;
        } else {
          high = middle - 1;
        }
      }
      return (origins[low] as number) + offset - (starts[low] as number);
    },
  };
}

/**
 * Joins the lines of a text in format=flowed with DelSp=yes (RFC 3676 §4), where a URL may run over
 * several lines. A line that ends in a space continues in the next line; the space, the line end,
 * quote marks and stuffing are deleted.
 */
export function unflow(text: string): CutText {
  return cutOut(text, () => softBreaks(text));
}

function* softBreaks(text: string): Iterable<Range> {
  let line = lineAt(text, 0);
  while (line.end < text.length) {
    const next = lineAt(text, line.next);
    const isSoft = text[line.end - 1] === ' ' && line.end > line.content;
    if (isSoft && line.depth === next.depth && !line.isSignature && !next.isSignature) {
      yield { start: line.end - 1, end: next.content };
    }
    line = next;
  }
}

function lineAt(text: string, start: number) {
  const feed = text.indexOf('\n', start);
  const next = feed === -1 ? text.length : feed + 1;
  const end = feed === -1 ? text.length : text[feed - 1] === '\r' ? feed - 1 : feed;
  const depth = quoteDepth(text, start);
  const content = unstuffed(text, start + depth);
  // RFC 3676 §4.3: the separator before a signature is not part of a paragraph.
  const isSignature = end - content === 3 && text.startsWith('-- ', content);
  return { end, next, depth, content, isSignature };
}

function quoteDepth(text: string, lineStart: number): number {
  let at = lineStart;
  while (text[at] === '>') {
    at++;
  }
  return at - lineStart;
}

/** RFC 3676 §4.4: a space at the beginning of a line's content is not part of it. */
function unstuffed(text: string, contentStart: number): number {
  return text[contentStart] === ' ' ? contentStart + 1 : contentStart;
}
