import type { HeaderField } from '../message/header-fields.ts';
import { decodeEncodedWords } from '../message/header-fields.ts';
import { fromUtf8 } from '../milter/text.ts';

/** Longer header texts are cut: a subject is for reading. */
const MAX_LENGTH = 1000;

/**
 * The text of the first header of that name: unfolded (RFC 5322 §2.2.3), encoded words decoded (RFC 2047),
 * raw bytes read as UTF-8 (RFC 6532).
 * @param name lower case
 */
export function headerText(headers: readonly HeaderField[], name: string): string | undefined {
  const field = headers.find(
    (header) => header.name.length === name.length && header.name.toLowerCase() === name,
  );
  if (field === undefined) return undefined;
  const text = fromUtf8(
    field.value
      .slice(0, MAX_LENGTH)
      .replace(/\r?\n[ \t]/g, ' ')
      .trim(),
  );
  return text.includes('=?') ? decodeEncodedWords(text) : text;
}
