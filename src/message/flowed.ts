import type { Range } from './candidate.ts';
import { type CutText, cutOut } from './cut-out.ts';

/**
 * format=flowed with DelSp=yes (RFC 3676 §4): a line that ends in a space goes on in the next, the space,
 * the line end, quote marks and stuffing in between stand for nothing. So a URL may run over several lines.
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
  // RFC 3676 §4.3: the separator before a signature is no part of a paragraph.
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
