import type { Charset } from './charset.ts';
import { placeholderBegins } from './placeholders.ts';

/** Marks of emphasis: not the URL's where they stand on both sides of it. */
export const EMPHASIS = '*_~|';

/** ASCII that closes what a URL stands in, and that no reader takes for a part of it where nothing in it opened that. */
const CLOSERS = '<>]}';
/** ASCII that ends a sentence or a word, or closes a bracket, but that some readers take along, with what follows it. */
const PUNCTUATION = ".,:;!?'`-)*~|";

/** Of the rest, what nobody takes for a part of a URL: white space, brackets, and the punctuation of CJK. */
const BOUNDARY = /[\s\p{Z}\p{Pe}、。！，：；？｜｡､]|(?![‚„])\p{Ps}/u;
/** And what is not seen: marks of the direction of writing, places where a line may be broken. */
const OTHER_PUNCTUATION = /[\p{P}\p{Cf}]/u;

/** What closes a quotation, by what opens it. */
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
 * Whether all readers agree that a URL ends at an offset: there is white space, a closing character or the end of the
 * text, perhaps behind punctuation; or a quotation that holds nothing else ends there. Of `https://a.example/foo–bar`,
 * only a half would be replaced, and the link dead.
 *
 * @param start where the URL begins
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
        return !isJoined(text, at);
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

/** Whether the word goes on to another `"`: some readers take what stands between two of them for a part of a URL. */
function hasPartner(text: string, quote: number): boolean {
  QUOTE_OR_END.lastIndex = quote + 1;
  return QUOTE_OR_END.exec(text)?.[0] === '"';
}

/** Whether the word goes on to another link: readers that take along what is not ASCII see one link. */
function isJoined(text: string, from: number): boolean {
  LINK_OR_END.lastIndex = from;
  return /[:@w]/i.test(LINK_OR_END.exec(text)?.[0] ?? '');
}

const QUOTE_OR_END = /[\0- "<>]/g;
const LINK_OR_END = /[\0- "<>:@]|www\./gi;

/** Whether what is directly behind the URL closes the quotation that what is directly before it opens. */
function isQuoted(text: string, start: number, end: number, charset: Charset): boolean {
  return charactersBefore(text, start, charset).some((opening) =>
    QUOTES[opening]?.includes(charset.characterAt(text, end).char),
  );
}

const NONE: readonly string[] = [];

/** What the character that is not ASCII before an offset may be: several, where charsets read differently from there. */
function charactersBefore(text: string, at: number, charset: Charset): readonly string[] {
  return at === 0 || text.charCodeAt(at - 1) < 0x80
    ? NONE
    : [1, 2, 3, 4].flatMap((units) => {
        const { char, units: its } = charset.characterAt(text, Math.max(0, at - units));
        return units <= at && its === units ? char : [];
      });
}

/**
 * What keeps a URL in plain text from being replaced: readers do not agree where it ends, or somebody is still to fill
 * something in.
 *
 * @param written the URL as Unicode text, or undefined where the charset does not say for certain
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

/** What nearly all URLs are, which spares a closer look. Of long ones the pattern would run out of stack. */
const isOrdinary = (url: string): boolean => url.length < 2000 && ORDINARY.test(url);
const ORDINARY =
  /^https?:\/\/(?:[a-z\d-]*[a-z\d]\.)+[a-z]+(?:\/(?:[\w/=&-]|[.?#](?=[\w/])|%[\dA-Fa-f]{2})*)?(?<!-)$/;

/** Whether a URL follows a letter or `_`: Android would make a link of a part of the tracking domain instead. */
function isPartOfWord(text: string, start: number, charset: Charset): boolean {
  return (
    text[start - 1] === '_' ||
    charactersBefore(text, start, charset).some((char) => WORD.test(char))
  );
}

const WORD = /[\p{L}\p{N}\p{M}]/u;

/** Behind what all readers see that a URL begins. Behind other characters, some see only one that stands within it. */
const STARTS = /[\0- !"#%-*,/:;<>?[-\]{}]/;
const LINK_WITHIN = /[:@]|www\./i;

/** Whether all readers take the whole of a URL, once they know where it ends. */
function isReadWhole(written: string): boolean {
  const url = written.slice(written.indexOf('://') + '://'.length);
  const behindAddress = url.startsWith('[') ? url.slice(url.indexOf(']') + 1) : undefined;
  return !(
    CUT_SHORT.test(behindAddress ?? url) ||
    (behindAddress === undefined && !AUTHORITY.test(url.slice(0, LONGEST_AUTHORITY))) ||
    (/[/?#]/.test(url) && DROPPED.test(url.slice(-2))) ||
    !areBalanced(url)
  );
}

/** What some readers end a URL at: characters, sequences, and a URL in it behind a bracket or comma. */
const CUT_SHORT =
  /[[\]{}|\\^`"]|(?![\0-\x7f])\p{P}|%(?![\da-f]{2})|\?\?|\.\.(?![a-z\d.%/&])|'(?![\p{L}\p{N}-])|[(,;'*!.]https?:\/\//iu;
/** A host and port that all readers take: without a user, followed by a path or query, or by nothing. */
const AUTHORITY = /^(?:[^/?#@:.]+\.)*[^/?#@:.]*[^/?#@:._-](?::\d+)?(?:\/|\?[^@]*$|$)/;
const LONGEST_AUTHORITY = 700;
/** What some readers leave out at the end of a path. Android alone leaves out what is excepted here, too. */
const DROPPED = /(?:(?!\u200c|\u200d)[^\p{L}\p{N}\p{M}_/=&#)])$/u;

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

/** Cut off rather than matched: a pattern that runs over both is quadratic, or needs too deep a stack. */
function behindHost(url: string): string {
  const behindScheme = url.slice(url.indexOf('://') + '://'.length);
  const end = behindScheme.search(/[/?#]/);
  return end === -1 ? '' : behindScheme.slice(end);
}
