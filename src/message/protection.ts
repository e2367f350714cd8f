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
    if (type === 'multipart/report') {
      return 'report';
    }
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
  return !rewriteSigned && headers.some(({ name }) => COVERS_BODY.test(name))
    ? 'dkim-signed'
    : undefined;
}

/**
 * Header fields with a hash of the body: DKIM (RFC 6376) and what providers call theirs (X-Google-DKIM-Signature), ARC
 * (RFC 8617), whose seals cover its message signatures, and DomainKeys (RFC 4870).
 */
const COVERS_BODY =
  /^(?:(?:[\w-]+-)?dkim-signature|arc-(?:message-signature|seal)|domainkey-signature)$/i;

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
