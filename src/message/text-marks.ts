import type { Range } from './candidate.ts';
import type { Charset } from './charset.ts';
import { cutOut } from './cut-out.ts';

/** A text with our marks (`[[data-msys-clicktrack="0"]]`), as readers will see it: without them. */
export interface MarkedText {
  readonly text: string;
  readonly charset: Charset;
  /** In the original, brackets and all: each to be removed. */
  readonly marks: Range[];
  inOriginal(range: Range): Range;
  /**
   * What the marks say that stand in or directly behind a URL, and where the URL ends for them. URLs are asked for in
   * order.
   */
  marksOn(url: Range): { values?: ReadonlyMap<string, string>; end: number };
}

type Read = (start: number, end: number) => string | undefined;

/**
 * @param read the characters from start to end as Unicode, or undefined where the charset does not say for certain
 * @returns undefined where there are more than `maxMarks`
 */
export function readMarkedText(
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
  if (marks.length === 0) {
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
  for (const { ranges } of groups) {
    places.push((ranges[0] as Range).start - removed);
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
      const isOn = at - end < FARTHEST && CLOSING.test(text.slice(end, at));
      const values = isOn ? groups[next]?.values : undefined;
      return values === undefined ? { end } : { values, end: Math.min(at, end) };
    },
  };
}

/** What may stand between a URL and its marks, and how much of it. */
const CLOSING = /^[.,:;!?'"`)\]>*_~|-]*[ \t]*$/;
const FARTHEST = 100;

/** One or more marks with nothing but blanks between them. */
interface Marks {
  readonly ranges: Range[];
  /** By lower-case name. */
  readonly values: Map<string, string>;
}

const BLANK = '[ \\t\\r\\n]{0,99}';
const OPENS = `\\[\\[${BLANK}`;
const NAME = 'data-msys-[a-z-]{1,30}';
const VALUE = `["“”„]([^"“”„]{0,500})["“”]|['‘’‚]([^'‘’‚]{0,500})['‘’]|([^\\s"'\\]]{1,500})`;
const ATTRIBUTE = `(${NAME})(?:${BLANK}=${BLANK}(?:${VALUE}))?`;
const QUOTED = `"[^"]{0,500}"|'[^']{0,500}'`;
/** As it is to be written; or, within a line, as people write it. */
const MARK = new RegExp(
  `${OPENS}(?:(?:${NAME}(?:${BLANK}=${BLANK}(?:${QUOTED}|[^\\s"'\\]]{1,500}))?${BLANK}){1,16}|data-msys-[^\\r\\n[\\]]{0,500})\\]\\]`,
  'iy',
);
const EACH = new RegExp(ATTRIBUTE, 'gi');

/** In time linear in the text. */
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
    if (last === -1 || !/^[ \t]*$/.test(text.slice(last, start))) {
      found.push({ ranges: [], values: new Map() });
    }
    const { ranges, values } = found[found.length - 1] as Marks;
    const mark = read(start, end) ?? text.slice(start, end);
    for (const [, name = '', ...value] of mark.matchAll(EACH)) {
      values.set(name.toLowerCase(), value.find((one) => one !== undefined) ?? '');
    }
    ranges.push({ start, end });
    start = end;
    last = end;
  }
  return found;
}
