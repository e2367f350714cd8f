import type { Candidate, Scanned } from './candidate.ts';
import type { Charset } from './charset.ts';
import { notrackAt, readMarks, withoutNotrack } from './link-marks.ts';
import { plainHost } from './target.ts';
import { readMarkedText } from './text-marks.ts';
import { Surroundings } from './text-surroundings.ts';
import { UrlScanner } from './text-url.ts';
import { doubtAbout } from './url-end.ts';

export interface TextOptions {
  readonly charset: Charset;
  /** Of more than that, and of more marks, none are looked at: the part is left alone. */
  readonly maxLinks: number;
  /** The characters from start to end as Unicode, or undefined where the charset does not say for certain. */
  readonly read: (start: number, end: number) => string | undefined;
}

/**
 * Finds the http and https URLs in plain text.
 *
 * @param original offsets in it are those of the candidates
 */
export function scanText(
  original: string,
  { charset: ofOriginal, maxLinks, read }: TextOptions,
): Scanned | 'too-many-links' {
  const marked = readMarkedText(original, ofOriginal, read, maxLinks);
  if (marked === undefined) {
    return 'too-many-links';
  }
  const { text, charset, marks } = marked;
  const surroundings = new Surroundings(text);
  const candidates: Candidate[] = [];
  for (const url of new UrlScanner(text, charset).urls()) {
    const { start } = url;
    const { values, end } = marked.marksOn(url);
    const range = marked.inOriginal({ start, end });
    const ascii = text.slice(start, end);
    const host = plainHost(ascii);
    let written = host === undefined ? read(range.start, range.end) : ascii;
    const says = readMarks(values);
    const around = surroundings.reasonAt(start, end);
    let reason = says.reason ?? around ?? doubtAbout(text, start, end, written, charset);
    const notrack = notrackAt(text, start);
    if (notrack !== undefined) {
      marks.push(marked.inOriginal(notrack));
      written = written && withoutNotrack(written);
      reason = 'opted-out';
    }
    if (reason !== undefined) {
      surroundings.leave(reason);
    }
    candidates.push({
      start: range.start,
      end: range.end,
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
