/** A text whose soft line breaks are taken out. */
export interface Unflowed {
  readonly text: string;
  /** Where a character of it stands in the original. */
  origin(offset: number): number;
}

/**
 * format=flowed with DelSp=yes (RFC 3676 §4): a line that ends in a space goes on in the next, the space,
 * the line end, quote marks and stuffing in between stand for nothing. So a URL may run over several lines.
 */
export function unflow(text: string): Unflowed {
  const pieces: string[] = [];
  /** Offsets where a piece begins, in the result and in the original. */
  const starts: number[] = [];
  const origins: number[] = [];
  let length = 0;
  const keep = (from: number, to: number) => {
    starts.push(length);
    origins.push(from);
    pieces.push(text.slice(from, to));
    length += to - from;
  };
  let from = 0;
  for (const soft of softBreaks(text)) {
    keep(from, soft.start);
    from = soft.end;
  }
  keep(from, text.length);
  return {
    text: pieces.join(''),
    origin(offset) {
      let low = 0;
      let high = starts.length - 1;
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

function* softBreaks(text: string): Iterable<{ start: number; end: number }> {
  let lineStart = 0;
  for (let feed = text.indexOf('\n'); feed !== -1; feed = text.indexOf('\n', lineStart)) {
    const lineEnd = text[feed - 1] === '\r' ? feed - 1 : feed;
    const depth = quoteDepth(text, lineStart);
    const next = feed + 1;
    const nextDepth = quoteDepth(text, next);
    const isSignature = /^>* ?-- $/.test(text.slice(Math.max(lineStart, lineEnd - 100), lineEnd));
    const contentStart = unstuffed(text, lineStart + depth);
    if (
      text[lineEnd - 1] === ' ' &&
      lineEnd > contentStart &&
      depth === nextDepth &&
      !isSignature
    ) {
      yield { start: lineEnd - 1, end: unstuffed(text, next + nextDepth) };
    }
    lineStart = next;
  }
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
