import type { Range, Scanned } from './candidate.ts';
import { charsetOf } from './charset.ts';
import { openContent } from './content.ts';
import { unflow } from './flowed.ts';
import { scanHtml } from './html-links.ts';
import type { LeftAlone } from './outcome.ts';
import { protectionByContent } from './protection.ts';
import type { ReadingOptions } from './reading-options.ts';
import type { Content } from './splice.ts';
import { scanText } from './text-links.ts';
import type { PartFound } from './top-parts.ts';

/** A top part whose links were looked for. */
export interface ReadPart {
  readonly found: PartFound;
  readonly content: Content;
  readonly scanned: Scanned;
  /** The decoded bytes that characters stand for. */
  bytesOf(range: Range): Range;
  /** ASCII text as bytes of the part's charset. */
  encode(ascii: string): string;
  /** Whether queries with non-ASCII characters are certain. */
  readonly utf8Queries: boolean;
}

/** A part that is left alone as a whole. */
export interface LeftPart {
  readonly found: PartFound;
  readonly reason: LeftAlone;
  /** Inline PGP: then the other part is not to be changed either. */
  readonly protects?: boolean;
}

/** Decodes a top part and looks for its links. */
export function readPart(
  found: PartFound,
  raw: Buffer,
  options: ReadingOptions,
): ReadPart | LeftPart {
  if (found.reason !== undefined) {
    return { found, reason: found.reason };
  }
  const content = openContent(raw, found.encoding);
  if (typeof content === 'string') {
    return { found, reason: content };
  }
  const unflowed = found.delSp ? unflow(content.bytes) : undefined;
  const bytes = unflowed?.text ?? content.bytes;
  const charset = charsetOf(found.charset, bytes);
  const text = charset?.scannable(bytes) ?? bytes;
  const protection = protectionByContent(charset?.unit === 2 ? text : content.bytes);
  if (protection !== undefined) {
    return { found, reason: protection, protects: true };
  }
  if (charset === undefined || (charset.unit === 2 && (content.isLiteral || unflowed))) {
    return { found, reason: 'charset' };
  }
  const { unit } = charset;
  const read = (start: number, end: number) =>
    charset.decode(bytes.slice(start * unit, end * unit));
  const maxLinks = options.limits.links;
  const scanned =
    found.part === 'html'
      ? scanHtml(text, {
          excludeSelectors: options.excludeSelectors,
          trackUrlText: options.trackUrlText,
          maxLinks,
          treeLimits: {
            size: options.limits.selectorHtmlSize,
            depth: options.limits.selectorHtmlDepth,
          },
          read,
        })
      : scanText(text, { charset, maxLinks, read });
  if (typeof scanned === 'string') {
    return { found, reason: scanned };
  }
  return {
    found,
    content,
    scanned,
    bytesOf: ({ start, end }) =>
      unflowed === undefined
        ? { start: start * unit, end: end * unit }
        : { start: unflowed.origin(start), end: unflowed.origin(end - 1) + 1 },
    encode: charset.encode,
    utf8Queries: charset.utf8Queries,
  };
}
