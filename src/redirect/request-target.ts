import { detached } from '../lib/detached.ts';
import { isSealedToken, MAX_TOKEN } from '../link/sealed-token.ts';
import { isStoredToken } from '../link/stored-token.ts';

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

/** What a request line asks for. */
export interface RequestTarget {
  /** The authority of an absolute-form target, which overrides the Host header (RFC 9112 § 3.2.2). */
  readonly host?: string;
  /** Without query and fragment, still percent-encoded; starts with `/` for every request that can mean something. */
  readonly path: string;
}

export function parseRequestTarget(url: string): RequestTarget {
  const authority = url.startsWith('/') ? undefined : ABSOLUTE_FORM.exec(url);
  const path = pathOf(authority ? url.slice(authority[0].length) : url);
  return authority ? { host: authority[1] ?? '', path } : { path };
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

/** What a path component begins with where it may be a token: every token is longer than 20 characters. */
const CANDIDATE = /(?<=\/)[A-Za-z0-9][A-Za-z0-9_-]{19,}/g;
/** The most components of one path that are looked up: one is the token, the others can only be components of a sublink. */
const MAX_CANDIDATES = 4;

/**
 * The tokens that a path may hold, the likeliest first. A token fills a path component from its start and ends at the first character
 * that no token has: everything from there on was appended by a mail program, a gateway or a text. Components before
 * it are a sublink. Gateways percent-encode what they copy, some of them twice.
 * @returns copies, which keep nothing of the request alive
 */
export function tokensIn(path: string): string[] {
  const tokens: string[] = [];
  const text = path.includes('%') ? pathOf(decoded(path)) : path;
  for (const candidate of text.match(CANDIDATE) ?? []) {
    if (candidate.length > MAX_TOKEN) continue;
    if (!isStoredToken(candidate) && !isSealedToken(candidate)) continue;
    tokens.push(detached(candidate));
    if (tokens.length === MAX_CANDIDATES) break;
  }
  return tokens;
}

/** Byte by byte, as latin1: no token has a character beyond ASCII. Invalid escapes stay, and end a token as any `%` does. */
function decoded(path: string): string {
  let text = path;
  for (let encodings = 0; encodings < 2 && text.includes('%'); encodings++) {
    text = text.replace(/%([\da-f]{2})/gi, (_escape, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return text;
}

/**
 * The tokens that an unknown one may have been, a fixed number of them. Texts put `-` and `_` behind links, so the token is tried
 * without them; and tokens that end in `-` were issued once, which some mail programs do not take for a part
 * of the link, so it is tried with them.
 */
export function otherSpellings(token: string): string[] {
  let bare = token.length;
  while (bare > 0 && '-_'.includes(token.charAt(bare - 1))) bare--;
  const shorter = [bare, bare + 1, bare + 2].filter((length) => length < token.length);
  return [...shorter.map((length) => token.slice(0, length)), `${token}-`, `${token}--`];
}
