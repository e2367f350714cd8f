import type { Charset } from './charset.ts';
import { cutOut } from './cut-text.ts';
import type { Candidate, Range, Read, Scanned } from './link.ts';
import { notrackAt, readMarks, withoutNotrack } from './link-marks.ts';
import { plainLink } from './plain-link.ts';
import type { ReadingOptions } from './reading-options.ts';
import { Surroundings } from './text-surroundings.ts';
import { UrlScanner } from './text-url.ts';
import { doubtAbout } from './text-url-end.ts';

/**
 * Finds the http and https URLs in plain text. Offsets of the result are into `original`.
 *
 * @param maxLinks a part with more links, or with more marks, is left alone
 */
export function scanText(
  original: string,
  charsetOfOriginal: Charset,
  maxLinks: number,
  read: Read,
  unsubscribeLinks: ReadingOptions['unsubscribeLinks'] = 'leave',
): Scanned | 'too-many-links' {
  const marked = readMarkedText(original, charsetOfOriginal, read, maxLinks);
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
    const plain = plainLink(text.slice(start, end));
    let written = plain === undefined ? read(range.start, range.end) : plain.written;
    const says = readMarks(values, unsubscribeLinks);
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
      host: plain?.host,
      hasSigns: plain?.hasSigns ?? true,
      escape: unescaped,
      reason,
      name: says.name,
      sublink: says.sublink,
      unsubscribe: says.unsubscribe,
    });
    if (candidates.length > maxLinks) {
      return 'too-many-links';
    }
  }
  const tags = Math.max(candidates.length, marks.length);
  return { candidates, marks, base: undefined, tags };
}

function unescaped(url: string): string {
  return url;
}

/** A text without clickmilter's marks (`[[data-msys-clicktrack="0"]]`), as readers will see it. */
interface MarkedText {
  readonly text: string;
  readonly charset: Charset;
  /** The marks in the original, with their brackets. Each is to be removed. */
  readonly marks: Range[];
  inOriginal(range: Range): Range;
  /**
   * The values of the marks in or directly behind a URL, and the end of the URL before them. It
   * must be called for URLs in ascending order.
   */
  marksOn(url: Range): { values?: ReadonlyMap<string, string>; end: number };
}

/** @returns undefined where there are more than `maxMarks` */
function readMarkedText(
  original: string,
  charset: Charset,
  read: Read,
  maxMarks: number,
): MarkedText | undefined {
  const groups = findMarks(original, read, maxMarks);
  if (groups === undefined) {
    return undefined;
  }
  const marks = groups.flatMap(({ ranges }) => ranges);
  if (groups.length === 0) {
    return {
      text: original,
      charset,
      marks,
      inOriginal: (range) => range,
      marksOn: ({ end }) => ({ end }),
    };
  }
  const { text, origin } = cutOut(original, () => [...marks]);
  const places: number[] = [];
  let removed = 0;
  for (const { at, ranges } of groups) {
    places.push((ranges[0]?.start ?? at) - removed);
    removed += ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }
  let next = 0;
  return {
    text,
    charset: { ...charset, characterAt: (_, at) => charset.characterAt(original, origin(at)) },
    marks,
    inOriginal: ({ start, end }) => ({ start: origin(start), end: origin(end - 1) + 1 }),
    marksOn({ start, end }) {
      while ((places[next] ?? Infinity) <= start) {
        next++;
      }
      const at = places[next] ?? Infinity;
      const isOn = at - end < MAX_DISTANCE && CLOSING.test(text.slice(end, at));
      const values = isOn ? groups[next]?.values : undefined;
      return values === undefined ? { end } : { values, end: Math.min(at, end) };
    },
  };
}

/** Blanks, and a line end that a mail program may have put between them. */
const BLANKS = '[ \\t]*(?:\\r?\\n[> \\t]*)?';
/** Characters that may stand between a URL and its marks. */
const CLOSING = new RegExp(`^[.,:;!?'"\`)\\]>*_~|-]*${BLANKS}$`);
const ONLY_BLANKS = new RegExp(`^${BLANKS}$`);
const MAX_DISTANCE = 100;

/** One or more marks with only blanks between them. */
interface Marks {
  /** The offset of the first. */
  readonly at: number;
  /** What is removed. */
  readonly ranges: Range[];
  /** Values by lower-case name. */
  readonly values: Map<string, string>;
}

const BLANK = '[ \\t\\r\\n]{0,99}';
const OPENS = `\\[\\[${BLANK}`;
const NAME = 'data-msys-[a-z-]{1,30}';
const VALUE = `["“”„]([^"“”„]{0,500})["“”]|['‘’‚]([^'‘’‚]{0,500})['‘’]|([^\\s"'\\]]{1,500})`;
const ATTRIBUTE = `(${NAME})(?:${BLANK}=${BLANK}(?:${VALUE}))?`;
const QUOTED = `"[^"]{0,500}"|'[^']{0,500}'`;
/**
 * Names, and values without quotes, are as long as they can be. Otherwise each way to divide a text
 * would be tried.
 */
const WHOLE_NAME = `${NAME}(?![a-z-])`;
const UNQUOTED = `[^\\s"'\\]]{1,500}(?![^\\s"'\\]])`;
/** A mark as documented, which may run over line ends; or a misspelt mark within a line. */
const MARK = new RegExp(
  `${OPENS}(?:(?:${WHOLE_NAME}(?:${BLANK}=${BLANK}(?:${QUOTED}|${UNQUOTED}))?${BLANK}){1,16}|data-msys-[^\\r\\n[\\]]{0,500})\\]\\]`,
  'iy',
);
const EACH = new RegExp(ATTRIBUTE, 'gi');

/** Finds all marks in time linear in the text. */
function findMarks(text: string, read: Read, max: number): Marks[] | undefined {
  let count = 0;
  const found: Marks[] = [];
  let last = -1;
  for (let start = text.indexOf('[['); start !== -1; start = text.indexOf('[[', start)) {
    MARK.lastIndex = start;
    if (!MARK.test(text)) {
      start++;
      continue;
    }
    if (++count > max) {
      return undefined;
    }
    const end = MARK.lastIndex;
    const between = last === -1 ? undefined : text.slice(last, start);
    if (between === undefined || between.length > MAX_DISTANCE || !ONLY_BLANKS.test(between)) {
      found.push({ at: start, ranges: [], values: new Map() });
    }
    const { ranges, values } = found[found.length - 1] as Marks;
    const mark = read(start, end) ?? text.slice(start, end);
    for (const [, name = '', ...value] of mark.matchAll(EACH)) {
      values.set(name.toLowerCase(), value.find((one) => one !== undefined) ?? '');
    }
    // A line end between two marks is removed with them.
    const from = between?.includes('\n') ? ranges.pop()?.start : undefined;
    ranges.push({ start: from ?? start, end });
    start = end;
    last = end;
  }
  for (const { ranges } of found) {
    ranges.splice(0, ranges.length, ...removable(text, ranges));
  }
  return found;
}

/**
 * What to remove with marks, so that neither an empty line stays where a line held nothing else, nor
 * the text behind them begins a line as a quotation or the delimiter of a part.
 */
function removable(text: string, marks: readonly Range[]): readonly Range[] {
  const [{ start }, { end }] = [marks[0] as Range, marks.at(-1) as Range];
  let line = start;
  while (start - line < MAX_DISTANCE && '> \t'.includes(text[line - 1] ?? 'x')) {
    line--;
  }
  if (line > 0 && text[line - 1] !== '\n') {
    return marks;
  }
  REST_OF_LINE.lastIndex = end;
  const rest = REST_OF_LINE.exec(text)?.[0];
  if (rest === undefined && text[end] !== '>' && !text.startsWith('--', end)) {
    return marks;
  }
  // In format=flowed (RFC 3676), a line that ends in a blank goes on in the next one.
  if (rest !== undefined && (line === 0 || /^[ \t]/.test(rest))) {
    return [{ start: line, end: end + rest.length }];
  }
  if (line === 0) {
    return [];
  }
  let before = text[line - 2] === '\r' ? line - 2 : line - 1;
  if (rest === undefined && (before === 0 || text[before - 1] === '\n')) {
    return []; // joined to an empty line, the text would begin a line all the same
  }
  if (rest !== undefined && !text.startsWith('-- ', before - 3)) {
    while (' \t'.includes(text[before - 1] ?? 'x')) {
      before--;
    }
  }
  return [{ start: before, end }];
}

const REST_OF_LINE = /[ \t]*(?:\r?\n|$)/y;
