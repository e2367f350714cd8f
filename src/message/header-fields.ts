import type { SkipReason } from './skip-reasons.ts';

/** A header field as a milter gets it: latin1 byte strings, the value perhaps folded with LF and with a leading space. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Why a message must not be changed at all, as far as its headers tell. */
export function protectionByHeaders(
  headers: readonly HeaderField[],
  rewriteSigned: boolean,
): SkipReason | undefined {
  const named = (name: string) => headers.filter((field) => field.name.toLowerCase() === name);
  for (const { value } of named('content-type')) {
    const type = (/^[^;(\s]*/.exec(value.trim())?.[0] ?? '').toLowerCase();
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
  if (named('content-type').some(({ value }) => REPORT.test(value.trim()))) {
    return 'report';
  }
  return !rewriteSigned && headers.some(({ name }) => SIGNATURE.test(name))
    ? 'dkim-signed'
    : undefined;
}

/**
 * Signatures of the body: DKIM (RFC 6376), those of single providers under names of their own, ARC (RFC 8617), DomainKeys
 * (RFC 4870), Identified Internet Mail, and PGP's in news.
 */
const SIGNATURE =
  /^(?:(?:.+-)?(?:dkim|domainkey)-?signature|arc-(?:message-signature|seal)|iim-sig|x-pgp-sig)$/i;

/** Delivery and disposition reports (RFC 6522), and what they are made of where they are not marked as such. */
const REPORT =
  /^(?:multipart\/report|message\/(?:(?:global-)?(?:delivery-status|disposition-notification)|feedback-report|tracking-status))(?![^\s;(])/i;

/** Whether a part of such a type makes the message a report. */
export function isReport(contentType: string): boolean {
  return REPORT.test(contentType);
}

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
