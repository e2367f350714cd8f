import type { FoundLink, LeftAlone, LinkOutcome, UrlFor } from './outcome.ts';

/** A header field as a milter gets it: latin1 byte strings, the value perhaps folded with LF and with a leading space. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

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
  selectorHtmlSize: 1024 * 1024,
  selectorHtmlDepth: 500,
};

export interface ReadingOptions {
  readonly limits: ReadingLimits;
  /** Whether DKIM-signed messages are rewritten (their signature breaks). */
  readonly rewriteSigned: boolean;
  /** CSS selectors; links they match, and links within what they match, are left alone. */
  readonly excludeSelectors: readonly string[];
  /** Whether links are tracked whose visible text is itself a URL. */
  readonly trackUrlText: boolean;
  /** Hosts (lower case, with port where there is one) that tracked links lead to: links to them are left alone. */
  readonly ownDomains: readonly string[];
  /** The operator's exclusions by pattern or domain. */
  readonly exclude?: (target: string) => LeftAlone | undefined;
}

/** A message that is being received. */
export interface OpenMessage {
  /** False once it is known that nothing will be done, perhaps from the headers alone: the rest of the body may be skipped. */
  readonly needsBody: boolean;
  /** Why not. */
  readonly reason?: LeftAlone;
  /** Takes the next piece of the body, and keeps it: the bytes must not be changed afterwards. */
  write(chunk: Buffer): void;
  /** To be called once, after the last piece. */
  end(): ReadMessage;
}

/** A message that was read to its end. */
export interface ReadMessage {
  /** All links of the top parts, in the order of the message, with the reason where one is not to be tracked. */
  readonly links: readonly FoundLink[];
  /** Why the whole message is left alone. */
  readonly reason?: LeftAlone;
  /** Pure: may be called again, giving other URLs. */
  rewrite(urlFor: UrlFor): RewrittenMessage;
}

export interface RewrittenMessage {
  /** The new body in pieces; absent where not a byte changes. */
  readonly body?: readonly Buffer[];
  readonly links: readonly LinkOutcome[];
}

/**
 * Begins to read a message whose headers are complete. Never throws, whatever the message.
 * Reads as it is written to, and is done with little more once the last piece has come.
 */
export function openMessage(
  _headers: readonly HeaderField[],
  _options: ReadingOptions,
): OpenMessage {
  return {
    needsBody: true,
    write() {},
    end: () => ({ links: [], reason: 'no-text-part', rewrite: () => ({ links: [] }) }),
  };
}
