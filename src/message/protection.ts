import type { HeaderField } from './header-field.ts';
import type { LeftAlone } from './outcome.ts';

/** Why a message must not be changed at all, as far as its headers tell. */
export function protectionByHeaders(
  headers: readonly HeaderField[],
  rewriteSigned: boolean,
): LeftAlone | undefined {
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

/** Inline PGP (RFC 9580 §6.2 and §7): the same for one part, by its content. */
export function protectionByContent(content: string): LeftAlone | undefined {
  if (!content.includes('BEGIN PGP ')) {
    return undefined; // hyphens are frequent: looking for them takes ten times as long
  }
  if (content.includes('-----BEGIN PGP SIGNED MESSAGE-----')) {
    return 'signed';
  }
  return content.includes('-----BEGIN PGP MESSAGE-----') ? 'encrypted' : undefined;
}
