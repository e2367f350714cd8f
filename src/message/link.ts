import type { SkipReason } from './skip-reasons.ts';

/** The characters or bytes from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Gives the characters of a range as Unicode text, or undefined where the charset leaves that
 * uncertain.
 */
export type Read = (start: number, end: number) => string | undefined;

/** A link as a scanner finds it in a part. Offsets are into the scanned text. */
export interface Candidate {
  /** A tracked URL replaces the text from `start` to `end`. */
  readonly start: number;
  readonly end: number;
  /**
   * The link as Unicode text with entities decoded, or undefined where the charset leaves that
   * uncertain.
   */
  readonly written: string | undefined;
  /**
   * The host of a link that is its own target (see `PlainLink`). Such a link needs no further
   * parsing.
   */
  readonly host: string | undefined;
  /** Whether the link may have a placeholder, or a mark in its query. */
  readonly hasSigns: boolean;
  /** Escapes a URL for the place where the link stands. */
  readonly escape: (url: string) => string;
  /** Why the link is left alone because of the place where it stands. */
  readonly reason: SkipReason | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
  /** Whether it is tracked as an unsubscribe link. */
  readonly unsubscribe: true | undefined;
}

/** The links of a part as a scanner finds them. */
export interface Scanned {
  readonly candidates: readonly Candidate[];
  /** clickmilter's own marks, which are removed. */
  readonly marks: readonly Range[];
  /** The URL that relative links are resolved by. */
  readonly base: string | undefined;
  /** What the limit of links counts: tags, or URLs in text, with a link or a mark. */
  readonly tags: number;
}

/**
 * A top part of a message: the first text/plain or the first text/html part that a reader would
 * show.
 */
export type TopPart = 'text' | 'html';

/** A link found in a top part. */
export interface FoundLink {
  readonly part: TopPart;
  /**
   * The URL that a browser would open: entities decoded once, tabs and line breaks dropped,
   * resolved by `<base>`, non-ASCII characters percent-encoded.
   */
  readonly target: string;
  /** The value of `data-msys-linkname`. */
  readonly name?: string | undefined;
  /** The value of `data-msys-sublink`: path components that stand before the token. */
  readonly sublink?: string | undefined;
  /** Whether the link is tracked as an unsubscribe link, by `data-msys-unsubscribe`. */
  readonly unsubscribe?: true | undefined;
  /** Why the link is left alone. Absent where the link may be tracked. */
  readonly reason?: SkipReason | undefined;
}

/** A found link after the message was rewritten. */
export interface RewrittenLink extends FoundLink {
  /** The URL that stands in the message now. Absent where the link is not tracked. */
  readonly url?: string | undefined;
  readonly tracked: boolean;
}

export interface RewrittenMessage {
  /** The new body in pieces. Absent where no byte changes. */
  readonly body?: readonly Buffer[];
  readonly links: readonly RewrittenLink[];
}

/**
 * Gives a found link its tracked URL, or undefined to leave the link alone.
 *
 * @param index of the link in all links that were found
 */
export type UrlFor = (link: FoundLink, index: number) => string | undefined;
