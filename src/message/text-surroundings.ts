import type { SkipReason } from './skip-reasons.ts';

/**
 * Decides from the text around a URL whether the URL is a link of its own. To some readers it is
 * part of a link that begins before it (`mailto:a@b.example?body=https://…`), or, in `<…>` and
 * `"…"`, it continues after white space (RFC 3986, appendix C). URLs are passed in ascending order,
 * so that each character is examined once.
 */
export class Surroundings {
  readonly #text: string;
  /** The end of the last URL. */
  #from = 0;
  /** Why the rest of the word is left alone, if its last URL was. */
  #word: SkipReason | undefined;
  /** Why the rest of the text in `<…>` or `"…"` is left alone. */
  #delimited: SkipReason | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Why the URL from start to end is not a link of its own, or undefined where it is. */
  reasonAt(start: number, end: number): SkipReason | undefined {
    const text = this.#text;
    const from = this.#from;
    this.#from = end;
    let word = start;
    while (word > from && !WHITE_SPACE.includes(text[word - 1] as string)) {
      word--;
    }
    if (word > from) {
      this.#word = undefined;
    }
    if (word < start) {
      this.#word ??= startsBefore(text.slice(word, start));
    }
    let opener = start - 1;
    while (opener >= from && !isDelimiter(text.charCodeAt(opener))) {
      opener--;
    }
    if (opener >= from) {
      this.#delimited = this.#delimitedBy(text.slice(opener, start), end);
    } else if (this.#delimited !== undefined && EMPTY_LINE.test(text.slice(from, start))) {
      this.#delimited = undefined;
    }
    return this.#word ?? this.#delimited;
  }

  /**
   * Records that the last URL is left alone. To some readers, the rest of its word is part of it.
   */
  leave(reason: SkipReason): void {
    this.#word ??= reason === 'scheme' ? reason : 'unclear-end';
  }

  /** @param before the text from the opening character up to the URL */
  #delimitedBy(before: string, end: number): SkipReason | undefined {
    const [opener] = before;
    if (opener === '>' || EMPTY_LINE.test(before)) {
      return undefined;
    }
    if (!ONLY_OPENER.test(before)) {
      const [, scheme = '', behind = ''] = LEADING_SCHEME.exec(before) ?? [];
      return WHITE_SPACE.includes(behind[0] ?? ' ') ? isScheme(scheme) : claims(scheme, behind);
    }
    if (opener === '"' && before.includes('\n')) {
      return undefined;
    }
    return this.#runsOn(end, CLOSES[opener as string]) ? 'unclear-end' : undefined;
  }

  /** Whether another word follows before the closing character. */
  #runsOn(end: number, closing: string | undefined): boolean {
    DELIMITER.lastIndex = end;
    for (;;) {
      const match = DELIMITER.exec(this.#text);
      if (match === null) {
        return false;
      }
      const [found] = match;
      // At the start of a line, `>` may close the URL or mark a quotation.
      const isQuoted = found.startsWith('\n') && found.endsWith('>');
      if (found === closing || (isQuoted && closing === '>')) {
        if (TWO_WORDS.test(this.#text.slice(end, match.index))) {
          return true;
        }
      }
      if (!isQuoted) {
        return false;
      }
    }
  }
}

const CLOSES: Readonly<Record<string, string>> = { '<': '>', '"': '"' };
const WHITE_SPACE = ' \t\r\n\f\v';
const ONLY_OPENER = /^[<"][ \t\r\n\f\v]*(?:URL:[ \t\r\n\f\v]*)?$/i;
const LEADING_SCHEME =
  /^[<"][ \t\r\n\f\v]*(?:URL:[ \t\r\n\f\v]*)?([a-z][a-z\d+.-]{0,39}):(.{0,2})/is;
const EMPTY_LINE = /\n[ \t\r]*\n/;
const DELIMITER = /[<>"]|\n[ \t\r]*\n|\n[> \t]*>/g;
const TWO_WORDS = /[ \t\r\n\f\v][^ \t\r\n\f\v]/;

/** Whether a character code is that of `<`, `>` or `"`. */
function isDelimiter(code: number): boolean {
  return code === 0x3c || code === 0x3e || code === 0x22;
}

/** Why a link begins in the text directly before a URL, `word`, if one does. */
function startsBefore(word: string): SkipReason | undefined {
  if (!/[:@.+-]/.test(word)) {
    return undefined; // as nearly always, when there is nothing or punctuation
  }
  const before = word.slice(Math.max(word.lastIndexOf('<'), word.lastIndexOf('>')) + 1);
  const joined = SCHEME.exec(before.slice(-LONGEST_SCHEME))?.[0];
  if (joined?.endsWith('-') || joined?.endsWith('+')) {
    return 'scheme'; // x-safari-https://…
  }
  const at = before.lastIndexOf('@');
  if (at !== -1 && /[a-z\d]/i.test(before.slice(0, at))) {
    return 'scheme'; // an address, which mail programs open as `mailto:`
  }
  for (let colon = before.indexOf(':'); colon !== -1; colon = before.indexOf(':', colon + 1)) {
    const name = SCHEME.exec(before.slice(Math.max(0, colon - LONGEST_SCHEME), colon))?.[0];
    const reason = name && claims(name, before.slice(colon + 1, colon + 3));
    if (reason) {
      return reason;
    }
    if (name && JOINS.test(before.slice(colon + 1))) {
      return 'scheme';
    }
  }
  const path = Math.max(...['/', '?', '#'].map((char) => before.lastIndexOf(char)));
  // An invalid URL, or a host without a scheme, which the URL may be part of:
  // `www.a.example/?to=https://…`.
  return word.includes('://') ||
    /www\./i.test(before) ||
    /[a-z\d-]\.[a-z]{2}/i.test(before.slice(0, Math.max(0, path)))
    ? 'unclear-end'
    : undefined;
}

/** The longest registered scheme is shorter. */
const LONGEST_SCHEME = 40;
const SCHEME = /[a-z][a-z\d+.-]*$/i;
/** A character that does not stand between a word such as `see:` and a URL of its own. */
const JOINS = /[\w%&./:=?#+-]/;

/**
 * Why a link that begins with a scheme holds the text behind it, or undefined where it is only a
 * word with a colon.
 */
function claims(scheme: string, behind: string): SkipReason | undefined {
  if (behind.startsWith('//')) {
    return /^https?$/i.test(scheme) ? 'unclear-end' : 'scheme';
  }
  return /[+.-]/.test(scheme) ? 'scheme' : isScheme(scheme);
}

function isScheme(word: string): SkipReason | undefined {
  return SCHEMES.has(word.toLowerCase()) ? 'scheme' : undefined;
}

/**
 * Schemes that mail programs, browsers and common applications open without `//`. For all other
 * words, readers prefer the URL behind the colon: `Link:https://…`.
 */
const SCHEMES: ReadonlySet<string> = new Set(
  (
    'about acct aim apt bitcoin blob callto chrome cid data dav dweb ed2k ethereum facetime feed file filesystem ' +
    'ftp ftps geo git gopher gtalk imap imaps intent ipfs ipns irc ircs itms itmss itpc jabber jar javascript ldap ' +
    'ldaps lightning line livescript magnet mailbox mailto maps market matrix message mhtml mid mms mmst modem ' +
    'mssms news nfs nntp onenote openpgp4fpr pcast podcast pop resource rss rtmp rtsp rtspu service sftp sgn ' +
    'shortcuts sip sips skype slack smb sms smsto snews spotify ssh steam stun sv svn tel telnet tftp tg turn urn ' +
    'uuid vbscript viber vnc webcal webcals wechat weixin whatsapp workflow ws wss wyciwyg xmpp ymsgr zoommtg ' +
    'zoomus'
  ).split(' '),
);
