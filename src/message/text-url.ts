import type { Charset } from './charset.ts';
import type { Range } from './link.ts';
import { EMPHASIS } from './text-url-end.ts';

const SCHEME = /(?:^|[^a-z\d+])(https?(?:\+notrack)?:\/\/)$/i;
/** The longest text that the pattern needs to see: a scheme, and a character before it. */
const SCHEME_WINDOW = 'xhttps+notrack://'.length;
const SCHEME_CHARACTER = /[a-z\d+]/i;
const IPV6 = /\[[0-9a-f:.]{2,45}\]/iy;
const USERINFO = /[\w.~%!$&'*+,;=:-]{1,256}@/y;
/** Characters of a user and password that are not allowed in a name. */
const USERINFO_ONLY = "~%!$&'*+,;=:@";
const PORT = /:\d{1,5}(?!\w)/y;

/** Kinds of ASCII characters in a URL. */
const STOP = 0;
const PLAIN = 1;
const OPENER = 2;
const CLOSER = 3;
const APOSTROPHE = 4;
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (code <= 0x20 || code === 0x7f || '<>"`'.includes(char)) {
    return STOP;
  }
  return '([{'.includes(char)
    ? OPENER
    : ')]}'.includes(char)
      ? CLOSER
      : char === "'"
        ? APOSTROPHE
        : PLAIN;
});
const HOST = Uint8Array.from({ length: 128 }, (_, code) =>
  /[\w.-]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** ASCII punctuation that ends a sentence, and does not belong to a URL at its end. */
const CLOSING = ".,:;!?'";
/** Non-ASCII characters that are allowed between `<` and `>`. */
const DELIMITED = /[^\p{Z}\p{Cc}\ufffd]/u;
/**
 * Non-ASCII characters of names. The joiners of Persian, Indic scripts and emoji are part of a
 * word.
 */
const IN_NAME = /[\p{L}\p{N}\p{M}\u200c\u200d]/u;
const IN_PATH = /[^\p{Z}\p{P}\p{C}\ufffd\uff5c]|[\u200c\u200d]/u;
/** In ASCII, `)` follows `(` directly, and `]` and `}` are one further. */
const PARENTHESIS = '('.charCodeAt(0);

/**
 * Finds URLs in plain text, in time linear in the text.
 *
 * A URL extends to the next white space, control character, `<`, `>`, `"`, backquote or non-ASCII
 * punctuation. Brackets belong to it where they are balanced in it. Punctuation that ends a
 * sentence does not belong to it. In `<…>` everything up to white space or `"` belongs to it.
 */
export class UrlScanner {
  readonly #text: string;
  readonly #charset: Charset;
  /** The partner of each bracket in the last word with brackets, or 0. */
  #partners = new Uint32Array();
  #partnersStart = 0;
  #partnersEnd = 0;

  constructor(text: string, charset: Charset) {
    this.#text = text;
    this.#charset = charset;
  }

  *urls(): Iterable<Range> {
    let behind = 0;
    for (let at = this.#text.indexOf('://'); at !== -1; at = this.#text.indexOf('://', at)) {
      at += '://'.length;
      const start = this.#schemeStart(at);
      if (start === at || start < behind) {
        continue;
      }
      const end = this.#urlEnd(start, at);
      if (end !== -1) {
        yield { start, end };
        at = end;
        behind = end;
      }
    }
  }

  /**
   * The start of the scheme that ends at an offset, or the offset itself where the scheme is
   * another one.
   */
  #schemeStart(end: number): number {
    const start = end - 'https://'.length;
    if (
      this.#text.startsWith('https', start) &&
      !SCHEME_CHARACTER.test(this.#text[start - 1] ?? '')
    ) {
      return start; // as in most links, for which the pattern would take longer
    }
    const window = this.#text.slice(Math.max(0, end - SCHEME_WINDOW), end);
    return end - (SCHEME.exec(window)?.[1]?.length ?? 0);
  }

  #urlEnd(start: number, authority: number): number {
    const before = this.#text[start - 1] ?? '';
    const hostEnd = this.#hostEnd(authority);
    if (hostEnd === -1) {
      return -1;
    }
    if (before === '<' && this.#hostIsWhole(hostEnd)) {
      const end = this.#delimitedEnd(hostEnd);
      if (this.#text[end] === '>') {
        return end;
      }
    }
    if (!'/?#'.includes(this.#text[hostEnd] ?? ' ')) {
      return hostEnd;
    }
    return this.#withoutClosing(hostEnd, this.#pathEnd(start, hostEnd, before), before);
  }

  /** The end of host and port, or -1 where there is no host. */
  #hostEnd(authority: number): number {
    const end = this.#nameEnd(authority);
    // Only text that continues after a name may begin with a user.
    return USERINFO_ONLY.includes(this.#text[end] ?? '/')
      ? this.#hostEndAt(this.#behindUserinfo(authority))
      : this.#hostEndAt(authority, end);
  }

  #hostEndAt(host: number, nameEnd = this.#nameEnd(host)): number {
    IPV6.lastIndex = host;
    if (this.#text[host] === '[' && IPV6.test(this.#text)) {
      return this.#behindPort(IPV6.lastIndex);
    }
    let end = nameEnd;
    const next = this.#text[end] ?? '';
    if (!'/?#:'.includes(next) || next === '') {
      while (end > host && '.-_'.includes(this.#text[end - 1] as string)) {
        end--;
      }
    }
    return end === host || '.-'.includes(this.#text[host] as string) ? -1 : this.#behindPort(end);
  }

  /**
   * Whether a URL in `<…>` may continue after its host. No reader opens the whole of
   * `<https://a.example,https://b.example>`.
   */
  #hostIsWhole(end: number): boolean {
    return this.#text.charCodeAt(end) < 0x80
      ? '/?#>'.includes(this.#text[end] as string)
      : this.#foreign(end, /\P{P}/u) > 0;
  }

  /** The end of the characters of a name. */
  #nameEnd(from: number): number {
    let end = from;
    for (let units = this.#hostCharacter(end); units > 0; units = this.#hostCharacter(end)) {
      end += units;
    }
    return end;
  }

  /** The end of `user:password@`, if the authority has one. */
  #behindUserinfo(authority: number): number {
    USERINFO.lastIndex = authority;
    return USERINFO.test(this.#text) ? USERINFO.lastIndex : authority;
  }

  #hostCharacter(at: number): number {
    const code = this.#text.charCodeAt(at);
    if (code < 0x80) {
      return HOST[code] as number;
    }
    return code >= 0x80 ? this.#foreign(at, IN_NAME) : 0;
  }

  #behindPort(end: number): number {
    PORT.lastIndex = end;
    return this.#text[end] === ':' && PORT.test(this.#text) ? PORT.lastIndex : end;
  }

  /**
   * The length of the non-ASCII character at an offset, or 0 where the pattern does not match it.
   */
  #foreign(at: number, pattern: RegExp): number {
    const { char, units } = this.#charset.characterAt(this.#text, at);
    return pattern.test(char) ? units : 0;
  }

  #pathEnd(start: number, from: number, before: string): number {
    let at = from;
    for (;;) {
      const kind = KINDS[this.#text.charCodeAt(at)];
      if (kind === PLAIN) {
        at++;
        continue;
      }
      const units = this.#pathCharacter(at);
      if (units === 0 || (kind === APOSTROPHE && before === "'")) {
        return at;
      }
      if (kind === OPENER || kind === CLOSER) {
        const partner = this.#partner(at, from);
        if (partner === undefined || partner < start) {
          return at;
        }
      }
      at += units;
    }
  }

  #pathCharacter(at: number): number {
    const code = this.#text.charCodeAt(at);
    if (code < 0x80) {
      return KINDS[code] === STOP ? 0 : 1;
    }
    return code >= 0x80 ? this.#foreign(at, IN_PATH) : 0;
  }

  #delimitedEnd(from: number): number {
    let at = from;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (code >= 0x80) {
        const units = this.#foreign(at, DELIMITED);
        if (units === 0) {
          return at;
        }
        at += units;
      } else if (KINDS[code] === PLAIN || !this.#endsDelimited(at)) {
        at++;
      } else {
        return at;
      }
    }
  }

  #endsDelimited(at: number): boolean {
    const char = this.#text[at] ?? ' ';
    return char <= ' ' || '<>"\x7f'.includes(char);
  }

  #stretchEnd(from: number): number {
    let at = from;
    for (let units = this.#pathCharacter(at); units > 0; units = this.#pathCharacter(at)) {
      at += units;
    }
    return at;
  }

  /** The partner of the bracket at an offset. Partners are found once for a whole word. */
  #partner(bracket: number, from: number): number | undefined {
    if (bracket >= this.#partnersEnd) {
      this.#partnersStart = from;
      this.#partnersEnd = this.#stretchEnd(from);
      this.#partners = new Uint32Array(this.#partnersEnd - from);
      const open = new Uint32Array(this.#partnersEnd - from);
      let depth = 0;
      for (let at = from; at < this.#partnersEnd; at++) {
        const kind = KINDS[this.#text.charCodeAt(at)];
        if (kind === OPENER) {
          open[depth++] = at;
        } else if (kind === CLOSER && depth > 0) {
          const last = open[depth - 1] as number;
          if (this.#arePair(last, at)) {
            this.#partners[last - from] = at;
            this.#partners[at - from] = last;
            depth--;
          }
        }
      }
    }
    // A partner is never at 0, because a URL stands before it.
    return this.#partners[bracket - this.#partnersStart] || undefined;
  }

  #arePair(opener: number, closer: number): boolean {
    const code = this.#text.charCodeAt(opener);
    return this.#text.charCodeAt(closer) === (code === PARENTHESIS ? code + 1 : code + 2);
  }

  #withoutClosing(hostEnd: number, from: number, before: string): number {
    let end = from;
    while (end > hostEnd) {
      const last = this.#text[end - 1] as string;
      if (!CLOSING.includes(last) && !(EMPHASIS.includes(last) && last === before)) {
        break;
      }
      end--;
    }
    return end;
  }
}
