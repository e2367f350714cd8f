import { base64Content } from './base64.ts';
import { charsetOf } from './charset.ts';
import { type Content, literalContent } from './content.ts';
import { unflow } from './cut-text.ts';
import { scanHtml } from './html-links.ts';
import type { Range, Scanned } from './link.ts';
import type { ReadingOptions } from './open-message.ts';
import { quotedPrintableContent } from './quoted-printable.ts';
import type { SkipReason } from './skip-reasons.ts';
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
  readonly reason: SkipReason;
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

/** RFC 5321 §4.5.3.1.6, without the line end. */
const MAX_LINE = 998;

/**
 * 7bit and 8bit, also as `7-bit`, `8bits`, `8bit; charset=utf-8`, `"7bit"`: readers take what they do not know for text as it
 * is, and cut off what follows.
 */
const LINES = /^["']?[78][ _-]?bits?(?:mime)?["']?(?:[;,.\s].*)?$/;
const BINARY = /^"?binary"?(?:[;,.\s].*)?$/;

/** @returns the content of a part, or why it cannot be read with certainty */
export function openContent(
  raw: Buffer,
  encoding: string,
): Content | 'unknown-encoding' | 'malformed-encoding' {
  if (encoding === '' || LINES.test(encoding)) {
    return literalContent(raw, MAX_LINE);
  }
  if (BINARY.test(encoding)) {
    return literalContent(raw, Number.POSITIVE_INFINITY);
  }
  switch (encoding) {
    case 'quoted-printable':
      return quotedPrintableContent(raw);
    case 'base64':
      return base64Content(raw) ?? 'malformed-encoding';
    default:
      return 'unknown-encoding';
  }
}

/** Inline PGP (RFC 9580 §6.2 and §7): the same for one part, by its content. */
function protectionByContent(content: string): SkipReason | undefined {
  if (!content.includes('BEGIN PGP ')) {
    return undefined; // hyphens are frequent: looking for them takes ten times as long
  }
  if (content.includes('-----BEGIN PGP SIGNED MESSAGE-----')) {
    return 'signed';
  }
  return content.includes('-----BEGIN PGP MESSAGE-----') ? 'encrypted' : undefined;
}
