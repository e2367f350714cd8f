import { isUtf8 } from 'node:buffer';
import { stripVTControlCharacters } from 'node:util';

/** The same JSON without the control characters that JSON itself does not escape: U+007F to U+009F. */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Text from outside for a line of a terminal, which would obey the control characters in it. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, '');
}

/** The name of a file, with `\xNN` for the bytes that are control characters, or no UTF-8. */
export function printableName(name: Buffer): string {
  const escaped = (char: string) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return isUtf8(name)
    ? name.toString().replace(/\p{Cc}/gu, escaped)
    : name.toString('latin1').replace(/[^ -~]/g, escaped);
}
