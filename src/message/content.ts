import { base64Content } from './base64.ts';
import { literalContent } from './literal.ts';
import { quotedPrintableContent } from './quoted-printable.ts';
import type { Content } from './splice.ts';

/** RFC 5321 §4.5.3.1.6, without the line end. */
const MAX_LINE = 998;

/** How readers' programs also take 7bit and 8bit: their bytes are what they are. Of no other encoding is that certain. */
const MISSPELT = /^["']?[78][- ]?bits?["']?[ ;,.]*$/;

/** @returns the content of a part, or why it cannot be read with certainty */
export function openContent(
  raw: Buffer,
  encoding: string,
): Content | 'unknown-encoding' | 'malformed-encoding' {
  switch (MISSPELT.test(encoding) ? '8bit' : encoding) {
    case '':
    case '7bit':
    case '8bit':
      return literalContent(raw, MAX_LINE);
    case 'binary':
      return literalContent(raw, Number.POSITIVE_INFINITY);
    case 'quoted-printable':
      return quotedPrintableContent(raw);
    case 'base64':
      return base64Content(raw) ?? 'malformed-encoding';
    default:
      return 'unknown-encoding';
  }
}
