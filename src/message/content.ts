import { base64Content } from './base64.ts';
import { literalContent } from './literal.ts';
import { quotedPrintableContent } from './quoted-printable.ts';
import type { Content } from './splice.ts';

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
