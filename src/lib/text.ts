/** Whether a text holds nothing but printable ASCII characters: no space, no control character. */
export function isPrintableAscii(text: string): boolean {
  return !UNPRINTABLE.test(text);
}

const UNPRINTABLE = /[^!-~]/;

// Visible ASCII and space: such a URL cannot end a header line.
const SAFE_URL = /^https?:\/\/[\x20-\x7e]+$/i;

/** Whether readers may be sent to a URL, whatever a record, token or ruling says. */
export function isSafeUrl(url: string): boolean {
  return SAFE_URL.test(url);
}

/** The domain of `user@domain` in lower case, or undefined where there is no `@`. */
export function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  return at < 0 ? undefined : address.slice(at + 1).toLowerCase();
}

/**
 * Copies a text of latin1 characters: a piece of a string keeps the whole string in memory, be it a
 * message or a request.
 */
export function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
