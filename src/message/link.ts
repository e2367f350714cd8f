import type { SkipReason } from './skip-reasons.ts';

/** From `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A link where it stands in a part, before anything is decided about it. Offsets are into the scanned text. */
export interface Candidate {
  /** What a tracked URL would replace. */
  readonly start: number;
  readonly end: number;
  /** The link as Unicode text, entities decoded; undefined where the charset does not say for certain. */
  readonly written: string | undefined;
  /** The host of a link that is its own target (`plainHost`): nothing is to be found out of it. */
  readonly host: string | undefined;
  /** How a URL has to be written in its place. */
  readonly escape: (url: string) => string;
  /** What speaks against tracking it where it stands, if anything does. */
  readonly reason: SkipReason | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
}

/** What a scanner found in a part. */
export interface Scanned {
  readonly candidates: readonly Candidate[];
  /** Our own marks, to be removed. */
  readonly marks: readonly Range[];
  /** What relative links are resolved by. */
  readonly base: string | undefined;
}

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
  readonly reason?: SkipReason;
}

/** A found link after a rewrite. */
export interface RewrittenLink extends FoundLink {
  /** What stands in the message now; absent for a link that is not tracked. */
  readonly url?: string;
  readonly tracked: boolean;
}

export interface RewrittenMessage {
  /** The new body in pieces; absent where not a byte changes. */
  readonly body?: readonly Buffer[];
  readonly links: readonly RewrittenLink[];
}

/** Gives a found link its tracked URL, or undefined to leave it alone. Must be synchronous. */
export type UrlFor = (link: FoundLink) => string | undefined;
