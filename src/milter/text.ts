/** The Unicode text that a byte string stands for, where its bytes are UTF-8; else U+FFFD in their place. */
export function fromUtf8(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The byte string of a Unicode text: its UTF-8, one character a byte. */
export function toUtf8(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII is
  return !/[^\x00-\x7f]/.test(text);
}
