import type { Candidate, Range, Scanned } from './candidate.ts';
import type { Charset } from './charset.ts';
import { NOTRACK, notrackAt, readMarks } from './link-marks.ts';
import type { LeftAlone } from './outcome.ts';
import { UrlScanner } from './text-url.ts';

export interface TextOptions {
  readonly charset: Charset;
  /** The characters from start to end as Unicode, or undefined where the charset does not say for certain. */
  readonly read: (start: number, end: number) => string | undefined;
}

/**
 * Finds the http and https URLs in plain text.
 *
 * @param text offsets in it are those of the candidates
 */
export function scanText(text: string, { charset, read }: TextOptions): Scanned {
  const candidates: Candidate[] = [];
  const marks: Range[] = [];
  for (const { start, end } of new UrlScanner(text, charset).urls()) {
    const written = read(start, end);
    const notrack = notrackAt(text.slice(start, end));
    if (notrack !== -1) {
      marks.push({ start: start + notrack, end: start + notrack + NOTRACK.length });
    }
    const { values, range } = marksAt(text, end);
    if (range !== undefined) {
      marks.push(range);
    }
    const says = readMarks(values);
    const reason: LeftAlone | undefined = notrack === -1 ? says.reason : 'opted-out';
    const delimited = text[start - 1] === '<' && text[end] === '>';
    candidates.push({
      start,
      end,
      written: notrack === -1 ? written : written?.replace(NOTRACK_ANY_CASE, ''),
      escape: (url) => url,
      reason:
        reason ??
        (delimited || hasClearEnd(text, end, written, charset) ? undefined : 'unclear-end'),
      name: says.name,
      sublink: says.sublink,
    });
  }
  return { candidates, marks, base: undefined };
}

const NOTRACK_ANY_CASE = /\+notrack/i;

/** Scripts without spaces between words: whether they belong to the URL they follow, readers do not agree. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const RUNS_ON = new RegExp(`\\w${UNSPACED.source}|://[^/?#]*[/?#].*${UNSPACED.source}`, 'u');

function hasClearEnd(
  text: string,
  end: number,
  written: string | undefined,
  charset: Charset,
): boolean {
  const next = text.charCodeAt(end);
  if (next >= 0x80 && charset.characterAt(text, end).char === '\ufffd') {
    return false;
  }
  return written === undefined || !RUNS_ON.test(written);
}

/** `[[data-msys-clicktrack="0"]]` and its like directly behind a URL. */
function marksAt(
  text: string,
  at: number,
): { values: Map<string, string>; range: Range | undefined } {
  const values = new Map<string, string>();
  const mark = /\[\[(data-msys-[a-z]{1,30})(?:="([^"\r\n]{0,500})")?\]\]/iy;
  let end = at;
  mark.lastIndex = end;
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    const [, name = '', value = ''] = match;
    values.set(name.toLowerCase(), value);
    end = mark.lastIndex;
  }
  return { values, range: end > at ? { start: at, end } : undefined };
}
