import type { HeaderField } from './header-field.ts';
import { judge } from './judge.ts';
import type { FoundLink, LeftAlone, RewrittenMessage, TopPart, UrlFor } from './outcome.ts';
import { protectionByHeaders } from './protection.ts';
import { readPart } from './read-part.ts';
import type { ReadingLimits, ReadingOptions } from './reading-options.ts';
import { rewriteParts } from './rewrite.ts';
import { type PartFound, TopParts } from './top-parts.ts';

export type { HeaderField } from './header-field.ts';
export { DEFAULT_LIMITS, type ReadingLimits, type ReadingOptions } from './reading-options.ts';

/** A message that is being received. */
export interface OpenMessage {
  /** False once it is known that nothing will be done, perhaps from the headers alone: the rest of the body may be skipped. */
  readonly needsBody: boolean;
  /** Why not. */
  readonly reason: LeftAlone | undefined;
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
  /** The top parts, and why one is left alone as a whole. */
  readonly parts: readonly { readonly part: TopPart; readonly reason?: LeftAlone }[];
  /**
   * Pure: may be called again, giving other URLs.
   * @param urlFor asked for each of `links` that has no reason, in their order
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

  get reason(): LeftAlone | undefined {
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
function leftAlone(reason: LeftAlone): OpenMessage {
  return { needsBody: false, reason, write() {}, end: () => untouched(reason) };
}

function untouched(reason: LeftAlone): ReadMessage {
  return { links: [], parts: [], reason, rewrite: () => ({ links: [] }) };
}
