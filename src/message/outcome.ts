/** A top part of a message: the first text/plain and the first text/html a reader would show. */
export type TopPart = 'text' | 'html';

/** A link found in a top part. */
export interface FoundLink {
  readonly part: TopPart;
  /** What a browser would open: entities decoded once, tabs and line breaks dropped, resolved by `<base>`, non-ASCII percent-encoded. */
  readonly target: string;
  /** `data-msys-linkname`. */
  readonly name?: string;
  /** `data-msys-sublink`: path components that go before the token. */
  readonly sublink?: string;
  /** Why it is not to be tracked; absent for a link that may be. */
  readonly reason?: LeftAlone;
}

/** Why a link, a part or a whole message is left as it came. Short words that end up in logs, metrics and `explain`. */
export type LeftAlone = string;

/** Gives a found link its tracked URL, or undefined to leave it alone. Must be synchronous. */
export type UrlFor = (link: FoundLink) => string | undefined;
