import type { Charset } from './charset.ts';

/** Marks of emphasis: not the URL's where they stand on both sides of it. */
export const EMPHASIS = '*_~|';

/** ASCII that closes what a URL stands in. */
const CLOSERS = '<>")]}';
/** ASCII that ends a sentence or a word, but may stand within a URL as well. */
const PUNCTUATION = ".,:;!?'`-_";

/** Of the rest, what nobody takes for a part of a URL: white space, brackets, and the punctuation of CJK. */
const BOUNDARY = /[\s\p{Z}\p{Pe}、。！，：；？｜｡､]|(?![‚„])\p{Ps}/u;
const OTHER_PUNCTUATION = /\p{P}/u;

/**
 * Whether all readers agree that a URL ends at an offset: there is white space, a closing character or the end of the
 * text, perhaps behind punctuation. Of `https://a.example/foo–bar`, only a half would be replaced, and the link dead.
 *
 * @param before the character before the URL
 */
export function endsClearly(text: string, before: string, end: number, charset: Charset): boolean {
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
      if (!PUNCTUATION.includes(char) && !(EMPHASIS.includes(char) && char === before)) {
        return code <= 0x20 || char === ' ' || CLOSERS.includes(char);
      }
      at++;
    }
  }
}
