/** Why a link, a part or a whole message is left as it came. Short words that end up in logs, metrics and `explain`. */
export type SkipReason =
  // the whole message
  | 'signed' // multipart/signed, application/pkcs7-mime, inline PGP
  | 'encrypted' // multipart/encrypted, inline PGP
  | 'dkim-signed' // or ARC, DomainKeys
  | 'report' // multipart/report (RFC 6522): of delivery, disposition, abuse
  | 'no-text-part'
  | 'no-links'
  | 'ambiguous-headers' // two different Content-Types or Content-Transfer-Encodings
  | 'body-too-large'
  | 'headers-too-large'
  | 'too-many-parts'
  | 'too-deep'
  // a part
  | 'unknown-encoding'
  | 'malformed-encoding'
  | 'charset'
  | 'too-many-links'
  | 'html-too-complex' // past the bounds for exclude_selectors
  // a link
  | 'opted-out'
  | 'scheme' // mailto, tel, cid …, and a URL inside such a link
  | 'relative' // and no <base>
  | 'invalid-url'
  | 'placeholder' // of a template engine, unresolved
  | 'own-domain'
  | 'excluded' // by pattern or domain
  | 'excluded-selector'
  | 'unsubscribe'
  | 'url-text' // the visible text is itself a URL
  | 'unclear-end' // of a URL in text: readers' programs do not agree on it
  | 'line-too-long'
  | 'growth' // of the message past its bound
  | 'too-long'; // a target over 8 KB, or more than a link or a message can hold: UrlFor gave none
