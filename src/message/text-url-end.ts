import type { Charset } from './charset.ts';
import { placeholderBegins } from './placeholders.ts';

/** Marks of emphasis. They do not belong to a URL when they stand on both sides of it. */
export const EMPHASIS = '*_~|';

/** Closing ASCII characters that no reader adds to a URL that does not open them. */
const CLOSERS = '<>]}';
/** ASCII punctuation that some readers add to a URL, together with the text behind it. */
const PUNCTUATION = ".,:;!?'`-)*~|";

/**
 * Non-ASCII characters that no reader adds to a URL: white space (which U+FEFF is to JavaScript
 * alone), brackets, and the punctuation of CJK.
 */
const BOUNDARY = /(?!\ufeff)[\s\p{Z}\p{Pe}、。！，：；？｜｡､]|(?![‚„])\p{Ps}/u;
/**
 * Other punctuation, and invisible characters: marks of writing direction, and places where a line
 * may break.
 */
const OTHER_PUNCTUATION = /[\p{P}\p{Cf}]/u;

/** The closing quotation marks of each opening one. */
const QUOTES: Readonly<Record<string, string>> = {
  '“': '”',
  '”': '”',
  '„': '“”',
  '‘': '’',
  '’': '’',
  '‚': '‘’',
  '«': '»',
  '»': '«»',
  '‹': '›',
  '›': '‹›',
};

/**
 * Whether all readers agree that a URL ends at an offset. They do where white space, a closing
 * character or the end of the text follows, perhaps after punctuation, and where a quotation ends
 * that holds only the URL. If half of
 * `https://a.example/foo–bar` were replaced, the link would be dead.
 *
 * @param start the offset of the URL
 */
function endsClearly(text: string, start: number, end: number, charset: Charset): boolean {
  if (isQuoted(text, start, end, charset)) {
    return !isJoined(text, end);
  }
  let at = end;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) {
      const { char, units } = charset.characterAt(text, at);
      if (BOUNDARY.test(char)) {
        return !isJoined(text, at) && !mayBeDot(text, start, at, at + units, char);
      }
      if (!OTHER_PUNCTUATION.test(char)) {
        return false;
      }
      at += units;
    } else {
      const char = text[at] ?? ' ';
      if (char === '"') {
        return !hasPartner(text, at);
      }
      if (!PUNCTUATION.includes(char)) {
        return code <= 0x20 || char === ' ' || CLOSERS.includes(char);
      }
      at++;
    }
  }
}

/** Whether a CJK full stop stands in a host name, where browsers read it as a dot. */
function mayBeDot(text: string, start: number, at: number, behind: number, char: string): boolean {
  return (
    '。｡'.includes(char) &&
    /[a-z\d]/i.test(text[behind] ?? '') &&
    !/[/?#]/.test(text.slice(start + 'https://'.length, at))
  );
}

/**
 * Whether another `"` follows in the word. To some readers, text between two of them is part of a
 * URL.
 */
function hasPartner(text: string, quote: number): boolean {
  QUOTE_OR_END.lastIndex = quote + 1;
  return QUOTE_OR_END.exec(text)?.[0] === '"';
}

/**
 * Whether another link follows in the word. Readers that accept non-ASCII characters see a single
 * link.
 */
function isJoined(text: string, from: number): boolean {
  LINK_OR_END.lastIndex = from;
  return /[:@w]/i.test(LINK_OR_END.exec(text)?.[0] ?? '');
}

const QUOTE_OR_END = /[\0- "<>]/g;
const LINK_OR_END = /[\0- "<>:@]|www\./gi;

/** Whether the character behind the URL closes the quotation that the character before it opens. */
function isQuoted(text: string, start: number, end: number, charset: Charset): boolean {
  return charactersBefore(text, start, charset).some((opening) =>
    QUOTES[opening]?.includes(charset.characterAt(text, end).char),
  );
}

const NONE: readonly string[] = [];

/**
 * The non-ASCII characters that may end at an offset. Multi-byte charsets leave several
 * possibilities.
 */
function charactersBefore(text: string, at: number, charset: Charset): readonly string[] {
  return at === 0 || text.charCodeAt(at - 1) < 0x80
    ? NONE
    : [1, 2, 3, 4].flatMap((units) => {
        const { char, units: its } = charset.characterAt(text, Math.max(0, at - units));
        return units <= at && its === units ? char : [];
      });
}

/**
 * Why a URL in plain text is left alone: readers disagree where it ends, or a placeholder follows.
 *
 * @param written the URL as Unicode text, or undefined where the charset leaves that uncertain
 */
export function doubtAbout(
  text: string,
  start: number,
  end: number,
  written: string | undefined,
  charset: Charset,
): 'placeholder' | 'unclear-end' | undefined {
  const isDelimited = text[start - 1] === '<' && text[end] === '>';
  if (!isDelimited && placeholderBegins(text, end)) {
    return 'placeholder';
  }
  const isClear =
    (isDelimited || endsClearly(text, start, end, charset)) &&
    !isPartOfWord(text, start, charset) &&
    (STARTS.test(text[start - 1] ?? ' ') ||
      !LINK_WITHIN.test(text.slice(start + 'https://'.length, end + 1))) &&
    (written === undefined ||
      isOrdinary(written) ||
      (isReadWhole(written) && (isDelimited || !mayRunOn(written))));
  return isClear ? undefined : 'unclear-end';
}

/**
 * Whether a URL is one of the ordinary ones, which need no closer look. On long URLs the pattern
 * would overflow the stack.
 */
const isOrdinary = (url: string): boolean => url.length < 2000 && ORDINARY.test(url);
const ORDINARY =
  /^https?:\/\/(?:[a-z\d-]*[a-z\d]\.)+[a-z]+(?:\/(?:[\w/=&-]|[.?#](?=[\w/])|%[\dA-Fa-f]{2})*)?(?<!-)$/;

/**
 * Whether a URL follows a letter, a joiner or `_`. Android would then link a part of the tracking
 * domain instead.
 */
function isPartOfWord(text: string, start: number, charset: Charset): boolean {
  return (
    text[start - 1] === '_' ||
    charactersBefore(text, start, charset).some((char) => WORD.test(char))
  );
}

const WORD = /[\p{L}\p{N}\p{M}\u200c\u200d]/u;

/**
 * Characters after which all readers see that a URL begins. After others, some readers see only a
 * URL inside of it.
 */
const STARTS = /[\0- !"#%-*,/:;<>?[-\]{}]/;
const LINK_WITHIN = /[:@]|www\./i;

/** Whether all readers accept every character of a URL, once they know its end. */
function isReadWhole(written: string): boolean {
  const url = written.slice(written.indexOf('://') + '://'.length);
  const behindAddress = url.startsWith('[')
    ? url.slice(url.indexOf(']') + 1).replace(/^:\d+/, '')
    : undefined;
  return !(
    CUT_SHORT.test(behindAddress ?? url) ||
    (behindAddress !== undefined && LINK_WITHIN.test(behindAddress)) ||
    (behindAddress === undefined && !AUTHORITY.test(url.slice(0, LONGEST_AUTHORITY))) ||
    (/[/?#]/.test(url) && DROPPED.test(url.slice(-2))) ||
    SUPERSCRIPT_AT_END.test(url) ||
    !areBalanced(url)
  );
}

/**
 * Text at which some readers end a URL: characters, sequences, and another URL behind a bracket or
 * comma.
 */
const CUT_SHORT =
  /[[\]{}|\\^`"]|(?![\0-\x7f])\p{P}|%(?![\da-f]{2})|\?\?|\.\.(?![a-z\d.%/&])|'(?![\p{L}\p{N}-])|[(,;'*!.]https?:\/\//iu;
/** An authority that all readers accept: no user, and a path, a query or nothing behind it. */
const AUTHORITY = /^(?:[^/?#@:.]+\.)*[^/?#@:.]*[^/?#@:._-](?::\d+)?(?:\/|\?[^@]*$|$)/;
const LONGEST_AUTHORITY = 700;
/**
 * Characters that some readers drop at the end of a path. Only Android drops the exceptions as
 * well.
 */
const DROPPED = /(?:(?!\u200c|\u200d)[^\p{L}\p{N}\p{M}_/=&#)])$/u;

/** A superscript or fraction such as `²`, which Android drops at the end. */
const SUPERSCRIPT_AT_END = /\p{No}$/u;

function areBalanced(url: string): boolean {
  let depth = 0;
  for (const [bracket] of url.matchAll(/[()]/g)) {
    depth += bracket === '(' ? 1 : -1;
    if (depth < 0) {
      return false;
    }
  }
  return depth === 0;
}

/**
 * Scripts without spaces between words. Readers disagree whether they belong to the URL before
 * them.
 */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const UNSPACED_BEHIND_LETTER = new RegExp(`\\w${UNSPACED.source}`, 'u');

const JOINER_AT_END = /[\u200c\u200d]$/;

/** Whether the end of the URL may belong to the text behind it. */
function mayRunOn(written: string): boolean {
  return (
    UNSPACED_BEHIND_LETTER.test(written) ||
    UNSPACED.test(behindHost(written)) ||
    JOINER_AT_END.test(written)
  );
}

/**
 * The URL from its path on. A pattern over the whole URL would be quadratic, or overflow the stack.
 */
function behindHost(url: string): string {
  const behindScheme = url.slice(url.indexOf('://') + '://'.length);
  const end = behindScheme.search(/[/?#]/);
  return end === -1 ? '' : behindScheme.slice(end);
}
