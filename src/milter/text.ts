/** Decodes a byte string as UTF-8. Bytes that are not UTF-8 become U+FFFD. */
export function fromUtf8(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Encodes a Unicode text as UTF-8, in a byte string: one character per byte. */
export function toUtf8(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII includes control characters
  return !/[^\x00-\x7f]/.test(text);
}
