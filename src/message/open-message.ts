import { classifyLinks } from './classify-links.ts';
import { type HeaderField, protectionByHeaders } from './header-fields.ts';
import type { FoundLink, RewrittenMessage, TopPart, UrlFor } from './link.ts';
import { readPart } from './read-part.ts';
import {
  type MessageOptions,
  type ReadingLimits,
  type ReadingOptions,
  withDefaults,
} from './reading-options.ts';
import { htmlWith, rewriteParts } from './rewrite.ts';
import type { SkipReason } from './skip-reasons.ts';
import { type PartFound, TopParts } from './top-parts.ts';

/** A message that is being received. */
export interface OpenMessage {
  /**
   * False as soon as it is known that nothing will change. The rest of the body may then be
   * skipped.
   */
  readonly needsBody: boolean;
  /** Why nothing will change. */
  readonly reason: SkipReason | undefined;
  /**
   * Takes the next piece of the body and keeps it. The caller must not change the bytes afterwards.
   */
  write(chunk: Buffer): void;
  /** Finds the links. Call it once, after the last piece of the body. */
  end(): ReadMessage;
}

/** A message that was read completely. */
export interface ReadMessage {
  /** All links of the top parts in the order of the message. */
  readonly links: readonly FoundLink[];
  /** Why the whole message is left alone. */
  readonly reason?: SkipReason | undefined;
  /** The top parts, and why a part is left alone. */
  readonly parts: readonly { readonly part: TopPart; readonly reason?: SkipReason | undefined }[];
  /**
   * Makes the new body. It may be called again with other URLs.
   *
   * @param urlFor called with each object of `links` that has no reason, in any order
   */
  rewrite(urlFor: UrlFor): RewrittenMessage;
  /**
   * The HTML part as Unicode text, with other URLs in all of its links. Undefined where no HTML part
   * was read, or its text is not certain.
   *
   * @param urlFor called with each object of `links` that is in the HTML part
   */
  html(urlFor: (link: FoundLink, index: number) => string): string | undefined;
}

/**
 * Opens a message whose headers are complete. Its parts are found while the body arrives, and its
 * links at the end. Never throws, whatever the message contains.
 *
 * @param headers as the message has them, in order
 * @param options not to be changed afterwards
 */
export function openMessage(
  headers: readonly HeaderField[],
  options: MessageOptions = {},
): OpenMessage {
  const settings = withDefaults(options);
  const protection = protectionByHeaders(headers, settings.rewriteSigned);
  return protection === undefined ? new IncomingMessage(headers, settings) : leaveAlone(protection);
}

class IncomingMessage implements OpenMessage {
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
    const { reason, found: partsFound, body } = this.#parts;
    if (reason !== undefined) {
      return untouched(reason);
    }
    const parts = partsFound.map((part) =>
      readPart(part, body.slice(part.start, part.end), this.#options),
    );
    const protection = parts.find((part) => 'protects' in part)?.reason;
    if (protection !== undefined) {
      return untouched(protection);
    }
    const growth = allowedGrowth(partsFound, this.#options.limits);
    const readable = parts.filter((part) => part.reason === undefined);
    const classified = classifyLinks(readable, this.#headers, this.#options, growth);
    const overview = parts.map(({ found: { part }, reason }) => ({ part, reason }));
    const whole = readable.length === 0 ? overview[0]?.reason : undefined;
    // V8 makes `flatMap` pay for each link.
    const found: FoundLink[] = [];
    for (const { links } of classified) for (const { link } of links) found.push(link);
    return {
      links: found,
      parts: overview,
      reason: whole,
      rewrite: (urlFor) => rewriteParts(body, classified, urlFor, growth),
      html: (urlFor) => htmlWith(classified, urlFor),
    };
  }
}

/** Every message may grow by some hundred links, however small it is. */
const MIN_GROWTH = 64 * 1024;

/** Bytes that tracked links may add: some stand for a few bytes and are long. */
function allowedGrowth(parts: readonly PartFound[], { growth }: ReadingLimits): number {
  return MIN_GROWTH + growth * parts.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** A message whose headers say already that it is left alone. */
function leaveAlone(reason: SkipReason): OpenMessage {
  return { needsBody: false, reason, write() {}, end: () => untouched(reason) };
}

function untouched(reason: SkipReason): ReadMessage {
  return { links: [], parts: [], reason, rewrite: () => ({ links: [] }), html: () => undefined };
}
