import type { SkipReason } from './skip-reasons.ts';

/**
 * A header field as a milter gets it: latin1 byte strings. The value may begin with a space and be
 * folded.
 */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Why the headers forbid any change of the message, or undefined where they allow it. */
export function protectionByHeaders(
  headers: readonly HeaderField[],
  rewriteSigned: boolean,
): SkipReason | undefined {
  const types = headers
    .filter(({ name }) => name.toLowerCase() === 'content-type')
    .map(({ value }) => value.trim());
  for (const value of types) {
    const type = (/^[^;(\s]*/.exec(value)?.[0] ?? '').toLowerCase();
    if (type === 'multipart/signed') {
      return 'signed';
    }
    if (type === 'multipart/encrypted') {
      return 'encrypted';
    }
    if (type === 'application/pkcs7-mime' || type === 'application/x-pkcs7-mime') {
      return /smime-type\s*=\s*"?signed-data/i.test(value) ? 'signed' : 'encrypted';
    }
  }
  if (types.some(isReport)) {
    return 'report';
  }
  return !rewriteSigned && headers.some(({ name }) => SIGNATURE.test(name))
    ? 'dkim-signed'
    : undefined;
}

/**
 * Signatures that cover the body: DKIM (RFC 6376) and providers' variants of it, ARC (RFC 8617),
 * DomainKeys (RFC 4870), Identified Internet Mail, and PGP in news.
 */
const SIGNATURE =
  /^(?:(?:.+-)?(?:dkim2?|domainkey)-?signature|arc-(?:message-signature|seal)|iim-sig|x-pgp-sig)$/i;

/**
 * Delivery and disposition reports (RFC 6522), and the parts they consist of where they are not
 * marked as reports.
 */
const REPORT =
  /^(?:multipart\/report|message\/(?:(?:global-)?(?:delivery-status|disposition-notification)|feedback-report|tracking-status))(?![^\s;(])/i;

/** Whether a Content-Type makes the message a report. */
export function isReport(contentType: string): boolean {
  return REPORT.test(contentType);
}

/** The text ends before `?=`, so that no input makes the search backtrack. */
const ENCODED_WORD = /=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{1,20})?\?([bq])\?([^?\s]*)\?=/gi;

/**
 * The text of a header value by which senders say how a message is tracked: one space for each
 * fold, also inside of JSON strings, as in Momentum, and encoded words decoded.
 */
export function decodedText(value: string): string {
  return decodeEncodedWords(value.replace(/\r?\n[ \t]*/g, ' ').trim());
}

/**
 * Decodes the encoded words (RFC 2047) of an unfolded header value, also inside of longer words, as
 * senders write them into JSON. White space between two encoded words is dropped, and a character
 * may continue from one to the next. Words that cannot be decoded stay unchanged.
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
  for (const match of value.matchAll(ENCODED_WORD)) {
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
