// The text of a word is matched without its closing `?=`, so that no input makes the search go back.
const word = /=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{1,20})?\?([bq])\?([^?\s]*)\?=/gi;

/**
 * Decodes the encoded words of an unfolded header value (RFC 2047), also inside longer words, as senders
 * put them into JSON. White space between two of them is dropped, and a character may go on from one to
 * the next. What cannot be decoded stays as it is.
 */
export function decodeEncodedWords(value: string): string {
  if (!value.includes('=?')) return value;
  let decoded = '';
  let end = 0;
  let pending: { charset: string; bytes: Buffer[]; source: string } | undefined;
  const flush = () => {
    if (pending) decoded += decodeCharset(pending.charset, pending.bytes) ?? pending.source;
    pending = undefined;
  };
  for (const match of value.matchAll(word)) {
    const [source, charset = '', encoding = '', text = ''] = match;
    const between = value.slice(end, match.index);
    const adjoins = pending !== undefined && /^[ \t]*$/.test(between);
    if (!adjoins || pending?.charset !== charset.toLowerCase()) flush();
    if (!adjoins) decoded += between;
    pending ??= { charset: charset.toLowerCase(), bytes: [], source: '' };
    pending.bytes.push(/b/i.test(encoding) ? Buffer.from(text, 'base64') : decodeQ(text));
    pending.source += source;
    end = match.index + source.length;
  }
  flush();
  return decoded + value.slice(end);
}

function decodeQ(text: string): Buffer {
  const latin1 = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin1, 'latin1');
}

function decodeCharset(charset: string, bytes: readonly Buffer[]): string | undefined {
  try {
    return new TextDecoder(charset).decode(Buffer.concat(bytes));
  } catch {
    return undefined;
  }
}
