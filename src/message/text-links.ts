import type { Candidate, Range, Scanned } from './candidate.ts';
import type { Charset } from './charset.ts';
import { notrackAt, readMarks, withoutNotrack } from './link-marks.ts';
import type { LeftAlone } from './outcome.ts';
import { plainHost } from './target.ts';
import { UrlScanner } from './text-url.ts';
import { endsClearly } from './url-end.ts';

export interface TextOptions {
  readonly charset: Charset;
  /** Of more than that, none are tracked: nobody looks for the rest of them. */
  readonly maxLinks: number;
  /** The characters from start to end as Unicode, or undefined where the charset does not say for certain. */
  readonly read: (start: number, end: number) => string | undefined;
}

/**
 * Finds the http and https URLs in plain text.
 *
 * @param text offsets in it are those of the candidates
 */
export function scanText(
  text: string,
  { charset, maxLinks, read }: TextOptions,
): Scanned | 'too-many-links' {
  const candidates: Candidate[] = [];
  const marks: Range[] = [];
  for (const { start, end } of new UrlScanner(text, charset).urls()) {
    const ascii = text.slice(start, end);
    const host = plainHost(ascii);
    let written = host === undefined ? read(start, end) : ascii;
    const { values, range } = marksAt(text, end);
    if (range !== undefined) {
      marks.push(range);
    }
    const says = readMarks(values);
    let reason: LeftAlone | undefined = says.reason;
    const notrack = notrackAt(text, start);
    if (notrack !== undefined) {
      marks.push(notrack);
      written = written && withoutNotrack(written);
      reason = 'opted-out';
    }
    const before = text[start - 1] ?? '';
    if (reason === undefined && !(before === '<' && text[end] === '>')) {
      const doubtful = host === undefined ? written : undefined;
      if (isPlaceholder(text, end)) {
        reason = 'placeholder';
      } else if (
        !endsClearly(text, start, range?.end ?? end, charset) ||
        (doubtful !== undefined && mayRunOn(doubtful))
      ) {
        reason = 'unclear-end';
      }
    }
    candidates.push({
      start,
      end,
      written,
      host,
      escape: asItIs,
      reason,
      name: says.name,
      sublink: says.sublink,
    });
    if (candidates.length > maxLinks) {
      return 'too-many-links';
    }
  }
  return { candidates, marks, base: undefined };
}

function asItIs(url: string): string {
  return url;
}

/** Scripts without spaces between words: whether they belong to the URL they follow, readers do not agree. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const UNSPACED_BEHIND_LETTER = new RegExp(`\\w${UNSPACED.source}`, 'u');

const JOINER_AT_END = /[\u200c\u200d]$/;

/** Whether what seems to be the end of the URL may be text already. */
function mayRunOn(written: string): boolean {
  return (
    UNSPACED_BEHIND_LETTER.test(written) ||
    UNSPACED.test(behindHost(written)) ||
    JOINER_AT_END.test(written)
  );
}

/** Whether a host, or what seems to be one, goes on in what a template engine left behind. */
function isPlaceholder(text: string, end: number): boolean {
  PLACEHOLDER.lastIndex = end;
  return PLACEHOLDER.test(text);
}

const PLACEHOLDER = /[.:_-]{0,9}(?:\{\{|\*\||%%|\[\[(?!data-msys-))/y;

/** Cut off rather than matched: a pattern that runs over both is quadratic, or needs too deep a stack. */
function behindHost(url: string): string {
  const behindScheme = url.slice(url.indexOf('://') + '://'.length);
  const end = behindScheme.search(/[/?#]/);
  return end === -1 ? '' : behindScheme.slice(end);
}

/** `[[data-msys-clicktrack="0"]]` and its like directly behind a URL. */
function marksAt(text: string, at: number): { values?: Map<string, string>; range?: Range } {
  if (!text.startsWith('[[', at)) {
    return NO_MARKS;
  }
  const values = new Map<string, string>();
  const mark = /\[\[(data-msys-[a-z]{1,30})(?:="([^"\r\n]{0,500})")?\]\]/iy;
  let end = at;
  mark.lastIndex = end;
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    const [, name = '', value = ''] = match;
    values.set(name.toLowerCase(), value);
    end = mark.lastIndex;
  }
  return end > at ? { values, range: { start: at, end } } : NO_MARKS;
}

const NO_MARKS = {};
