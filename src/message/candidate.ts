import type { LeftAlone } from './outcome.ts';

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
  readonly reason: LeftAlone | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
}

/** From `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What a scanner found in a part. */
export interface Scanned {
  readonly candidates: readonly Candidate[];
  /** Our own marks, to be removed. */
  readonly marks: readonly Range[];
  /** What relative links are resolved by. */
  readonly base: string | undefined;
}
