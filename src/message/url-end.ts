import type { Charset } from './charset.ts';

/** Marks of emphasis: not the URL's where they stand on both sides of it. */
export const EMPHASIS = '*_~|';

/** ASCII that closes what a URL stands in. */
const CLOSERS = '<>")]}';
/** ASCII that ends a sentence or a word, but may stand within a URL as well. */
const PUNCTUATION = `.,:;!?'\`-_${EMPHASIS}`;

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
export function endsClearly(text: string, start: number, end: number, charset: Charset): boolean {
  if (text.charCodeAt(start - 1) >= 0x80 && isQuoted(text, start, end, charset)) {
    return true;
  }
  let at = end;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) {
      const { char, units } = charset.characterAt(text, at);
      if (BOUNDARY.test(char) || !OTHER_PUNCTUATION.test(char)) {
        return BOUNDARY.test(char);
      }
      at += units;
    } else {
      const char = text[at] ?? ' ';
      if (!PUNCTUATION.includes(char)) {
        return code <= 0x20 || char === ' ' || CLOSERS.includes(char);
      }
      at++;
    }
  }
}

/** Whether what is directly behind the URL closes the quotation that what is directly before it opens. */
function isQuoted(text: string, start: number, end: number, charset: Charset): boolean {
  for (let units = 1; units <= Math.min(LONGEST, start); units++) {
    const opening = charset.characterAt(text, start - units);
    const closing = opening.units === units ? QUOTES[opening.char] : undefined;
    if (closing?.includes(charset.characterAt(text, end).char)) {
      return true;
    }
  }
  return false;
}

/** Bytes of a quotation mark, in UTF-8. */
const LONGEST = 3;
