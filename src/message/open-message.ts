import { judge } from './classify-links.ts';
import { type HeaderField, protectionByHeaders } from './header-fields.ts';
import type { FoundLink, RewrittenMessage, TopPart, UrlFor } from './link.ts';
import { readPart } from './read-part.ts';
import { rewriteParts } from './rewrite.ts';
import type { SkipReason } from './skip-reasons.ts';
import { type PartFound, TopParts } from './top-parts.ts';

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
  /** Whether a link is left alone by its target, or by its host and port as browsers spell them. */
  readonly exclude?: (target: string, host: string) => boolean;
}

/** A message that is being received. */
export interface OpenMessage {
  /** False once it is known that nothing will be done, perhaps from the headers alone: the rest of the body may be skipped. */
  readonly needsBody: boolean;
  /** Why not. */
  readonly reason: SkipReason | undefined;
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
  readonly reason?: SkipReason;
  /** The top parts, and why one is left alone as a whole. */
  readonly parts: readonly { readonly part: TopPart; readonly reason?: SkipReason }[];
  /**
   * Makes the new body. It changes nothing else, so it may be called again with other URLs.
   *
   * @param urlFor called with each object of `links` that has no reason, in any order
   */
  rewrite(urlFor: UrlFor): RewrittenMessage;
}

/**
 * Begins to read a message whose headers are complete. Never throws, whatever the message.
 * Finds the parts while the body comes in, and looks for their links at the end.
 */
export function openMessage(headers: readonly HeaderField[], options: ReadingOptions): OpenMessage {
  const protection = protectionByHeaders(headers, options.rewriteSigned);
  return protection === undefined ? new Reading(headers, options) : leftAlone(protection);
}

class Reading implements OpenMessage {
  readonly #headers: readonly HeaderField[];
  readonly #options: ReadingOptions;
  readonly #parts: TopParts;

  constructor(headers: readonly HeaderField[], options: ReadingOptions) {
    this.#headers = headers;
    this.#options = options;
    this.#parts = new TopParts(headers, options.limits);
  }

  get needsBody(): boolean {
    return this.#parts.reason === undefined;
  }

  get reason(): SkipReason | undefined {
    return this.#parts.reason;
  }

  write(chunk: Buffer): void {
    this.#parts.write(chunk);
  }

  end(): ReadMessage {
    this.#parts.end();
    const { reason, found, body } = this.#parts;
    if (reason !== undefined) {
      return untouched(reason);
    }
    const parts = found.map((part) =>
      readPart(part, body.slice(part.start, part.end), this.#options),
    );
    const protection = parts.flatMap((part) => ('protects' in part ? part.reason : []))[0];
    if (protection !== undefined) {
      return untouched(protection);
    }
    const readable = parts.filter((part) => 'content' in part);
    const growth = allowedGrowth(parts, this.#options.limits);
    const judged = judge(readable, this.#headers, this.#options, growth);
    const links: FoundLink[] = [];
    for (const ofPart of judged.values()) {
      for (const { link } of ofPart) {
        links.push(link);
      }
    }
    const overview = parts.map((part) => ({
      part: part.found.part,
      ...('reason' in part && { reason: part.reason }),
    }));
    const whole = readable.length === 0 ? overview[0]?.reason : undefined;
    return {
      links,
      parts: overview,
      ...(whole !== undefined && { reason: whole }),
      rewrite: (urlFor) => rewriteParts(body, judged, urlFor, growth),
    };
  }
}

/** Whatever the size, so much is granted: some hundred links. */
const LEAST_GROWTH = 64 * 1024;

/** What tracking may add to a message: some links are long where they stand for a few bytes. */
function allowedGrowth(
  parts: readonly { readonly found: PartFound }[],
  { growth }: ReadingLimits,
): number {
  const size = parts.reduce((sum, { found }) => sum + found.end - found.start, 0);
  return LEAST_GROWTH + growth * size;
}

/** A message of which the body need not even be looked at. */
function leftAlone(reason: SkipReason): OpenMessage {
  return { needsBody: false, reason, write() {}, end: () => untouched(reason) };
}

function untouched(reason: SkipReason): ReadMessage {
  return { links: [], parts: [], reason, rewrite: () => ({ links: [] }) };
}
