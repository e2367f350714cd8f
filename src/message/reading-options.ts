import type { LeftAlone } from './outcome.ts';

/** Beyond these a message, part or link is left alone. */
export interface ReadingLimits {
  /** Bytes of the body. */
  readonly bodySize: number;
  /** Bytes of the headers of one part. */
  readonly headerSize: number;
  /** MIME parts. */
  readonly parts: number;
  /** Levels of multiparts within one another. */
  readonly depth: number;
  /** Links in one part. */
  readonly links: number;
  /** What tracked links may add to a message, in multiples of its top parts. */
  readonly growth: number;
  /** Bytes of HTML for `excludeSelectors` to be looked for in. */
  readonly selectorHtmlSize: number;
  /** Elements open within one another, likewise. */
  readonly selectorHtmlDepth: number;
}

export const DEFAULT_LIMITS: ReadingLimits = {
  bodySize: 50 * 1024 * 1024,
  headerSize: 1024 * 1024,
  parts: 1000,
  depth: 100,
  links: 10_000,
  growth: 8,
  selectorHtmlSize: 1024 * 1024,
  selectorHtmlDepth: 500,
};

export interface ReadingOptions {
  readonly limits: ReadingLimits;
  /** Whether messages with a DKIM, ARC or DomainKeys signature are rewritten, which breaks it. */
  readonly rewriteSigned: boolean;
  /** CSS selectors; links they match, and links within what they match, are left alone. */
  readonly excludeSelectors: readonly string[];
  /** What becomes of links with a placeholder outside of the host; left alone where this is absent. */
  readonly placeholders?: 'leave' | 'track';
  /** Whether links are tracked whose visible text is itself a URL. */
  readonly trackUrlText: boolean;
  /** Hosts (lower case, with port where there is one) that tracked links lead to: links to them are left alone. */
  readonly ownDomains: ReadonlySet<string>;
  /** The operator's exclusions by pattern or domain. */
  readonly exclude?: (target: string) => LeftAlone | undefined;
}
