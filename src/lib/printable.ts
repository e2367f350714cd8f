import { isUtf8 } from 'node:buffer';
import { stripVTControlCharacters } from 'node:util';

/** Escapes the control characters that JSON does not escape: U+007F to U+009F. */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Removes control characters, which a terminal would obey, from foreign text. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, '');
}

/** The name of a file, with `\xNN` for control characters and for bytes that are not UTF-8. */
export function printableName(name: Buffer): string {
  const escaped = (char: string) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return isUtf8(name)
    ? name.toString().replace(/\p{Cc}/gu, escaped)
    : name.toString('latin1').replace(/[^ -~]/g, escaped);
}
