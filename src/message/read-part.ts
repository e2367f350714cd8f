import { base64Content } from './base64.ts';
import { charsetOf } from './charset.ts';
import {
  type Content,
  type Edit,
  edited,
  literalContent,
  protectionByContent,
  type Spliced,
} from './content.ts';
import { type CutText, unflow } from './cut-text.ts';
import { scanHtml } from './html-links.ts';
import { placed, type ReadInstance } from './instance-reader.ts';
import { keep, mayBeKnown, readKnown } from './known-parts.ts';
import type { Range, Scanned } from './link.ts';
import { decodedWith, spliceQuotedPrintable } from './quoted-printable.ts';
import { type Decoded, decodeQuotedPrintable } from './quoted-printable-decoder.ts';
import type { ReadingOptions } from './reading-options.ts';
import type { SkipReason } from './skip-reasons.ts';
import { scanText } from './text-links.ts';
import type { PartFound } from './top-parts.ts';

/** A top part whose links were searched for. */
export interface ReadPart {
  readonly found: PartFound;
  readonly reason?: undefined;
  /** Applies edits, whose offsets are those of `bytesOf`. */
  splice(edits: readonly Edit[]): Spliced;
  /** The decoded bytes after all edits. */
  decodedWith(edits: readonly Edit[]): string;
  readonly scanned: Scanned;
  /** The bytes of a range of the scanned text. */
  bytesOf(range: Range): Range;
  /** Encodes ASCII text in the charset of the part. */
  encode(ascii: string): string;
  /** Decodes bytes of the part. Gives undefined where the text is not certain. */
  decode(bytes: string): string | undefined;
  /** Whether browsers send non-ASCII characters of a query as UTF-8. */
  readonly utf8Queries: boolean;
}

/** A top part that is left alone as a whole. */
export interface LeftPart {
  readonly found: PartFound;
  readonly reason: SkipReason;
  /** Whether the reason holds for the whole message, as with inline PGP. */
  readonly protects?: true;
}

/** Decodes a top part and finds its links. */
export function readPart(
  found: PartFound,
  raw: Buffer,
  options: ReadingOptions,
): ReadPart | LeftPart {
  if (found.reason !== undefined) {
    return { found, reason: found.reason };
  }
  const isRecognisable = mayBeKnown(found, raw, options);
  const known = isRecognisable ? readKnown(found, raw, options) : undefined;
  if (known !== undefined) {
    return quotedPrintablePart(found, raw, known);
  }
  const content = openContent(raw, found.encoding);
  if (typeof content === 'string') {
    return { found, reason: content };
  }
  const unflowed: CutText | undefined = found.delSp ? unflow(content.bytes) : undefined;
  const bytes = unflowed?.text ?? content.bytes;
  const charset = charsetOf(found.charset, bytes);
  const text = charset?.scannable(bytes) ?? bytes;
  const protection = protectionByContent(charset?.unit === 2 ? text : content.bytes);
  if (protection !== undefined) {
    return { found, reason: protection, protects: true };
  }
  const isLiteral = 'isLiteral' in content && content.isLiteral;
  if (charset === undefined || (charset.unit === 2 && (isLiteral || unflowed))) {
    return { found, reason: 'charset' };
  }
  const { unit } = charset;
  const read = (start: number, end: number) =>
    charset.decode(bytes.slice(start * unit, end * unit));
  const scanned =
    found.part === 'html'
      ? scanHtml(text, options, read)
      : scanText(text, charset, options.limits.links, read, options.unsubscribeLinks);
  if (typeof scanned === 'string') {
    return { found, reason: scanned };
  }
  const bytesOf = ({ start, end }: Range): Range =>
    unflowed === undefined
      ? { start: start * unit, end: end * unit }
      : { start: unflowed.origin(start), end: unflowed.origin(end - 1) + 1 };
  if (!('rawOf' in content)) {
    return {
      found,
      splice: content.splice,
      decodedWith: (edits) => edited(content.bytes, edits),
      scanned,
      bytesOf,
      encode: charset.encode,
      decode: charset.decode,
      utf8Queries: charset.utf8Queries,
    };
  }
  const instance: ReadInstance = {
    scanned: placed(scanned, (ranges) => content.rawOf(ranges.map(bytesOf)), 0),
    malformed: content.malformed,
    charset,
  };
  if (isRecognisable) {
    keep(found, raw, content, instance, options);
  }
  return quotedPrintablePart(found, raw, instance);
}

/** A part in quoted-printable, whose links are at raw offsets: its decoded bytes are not kept. */
function quotedPrintablePart(
  found: PartFound,
  raw: Buffer,
  { scanned, malformed, charset }: ReadInstance,
): ReadPart {
  return {
    found,
    splice: (edits) => spliceQuotedPrintable(raw, edits, malformed),
    decodedWith: (edits) => decodedWith(raw, edits),
    scanned,
    bytesOf: (range) => range,
    encode: charset.encode,
    decode: charset.decode,
    utf8Queries: charset.utf8Queries,
  };
}

/** The longest line in bytes, without its line end (RFC 5321 §4.5.3.1.6). */
const MAX_LINE = 998;

/**
 * 7bit and 8bit in every spelling that readers accept, such as `7-bit`, `8bits`, `8bit;
 * charset=utf-8` and `"7bit"`. Readers show an encoding that they do not know as it is, and ignore
 * what follows its name.
 */
const LINES = /^["']?[78][ _-]?bits?(?:mime)?["']?(?:[;,.\s].*)?$/;
const BINARY = /^"?binary"?(?:[;,.\s].*)?$/;

/**
 * Opens the content of a part.
 *
 * @param encoding the Content-Transfer-Encoding in lower case. Empty where there is none
 * @returns the reason why the content cannot be read with certainty, if there is one
 */
export function openContent(
  raw: Buffer,
  encoding: string,
): Content | Decoded | 'unknown-encoding' | 'malformed-encoding' {
  if (encoding === '' || LINES.test(encoding)) {
    return literalContent(raw, MAX_LINE);
  }
  if (BINARY.test(encoding)) {
    return literalContent(raw, Number.POSITIVE_INFINITY);
  }
  switch (encoding) {
    case 'quoted-printable':
      return decodeQuotedPrintable(raw);
    case 'base64':
      return base64Content(raw) ?? 'malformed-encoding';
    default:
      return 'unknown-encoding';
  }
}
