/**
 * Why a message, a part or a link is left alone. Log lines, metrics and `explain` take their words
 * from here, and docs/skip-reasons.md is made of it.
 */
export const SKIP_REASONS = {
  message: {
    signed: 'it is signed (S/MIME or PGP)',
    encrypted: 'it is encrypted (S/MIME or PGP)',
    'dkim-signed': 'it carries a DKIM, ARC or DomainKeys signature (rewrite_signed)',
    report: 'it is a delivery or disposition report',
    'no-text-part': 'it has no text/plain or text/html part at the top',
    'no-links': 'it has no links',
    'ambiguous-headers':
      'a part has two different Content-Type or Content-Transfer-Encoding headers, or two values of a parameter',
    'body-too-large': 'its body is longer than max_message_size',
    'headers-too-large': 'the headers of a part are too long',
    'too-many-parts': 'it has more parts than max_parts',
    'too-deep': 'its parts are nested too deep',
  },
  part: {
    'unknown-encoding': 'unknown Content-Transfer-Encoding',
    'malformed-encoding': 'malformed transfer encoding',
    charset: 'the charset cannot be read with certainty',
    'too-many-links': 'more links than max_links in the part',
    'html-too-complex': 'HTML too large or too deep, or exclude_selectors take too long in it',
  },
  link: {
    'opted-out': 'marked as not to be tracked',
    scheme: 'not http or https, or part of such a link',
    relative: 'a relative link without a base',
    'invalid-url': 'not a valid URL',
    placeholder: 'a placeholder that was never filled in (placeholders)',
    'untracked-part': 'in a part that is not tracked (click_tracking_parts)',
    'own-domain': 'leads to a tracking domain itself',
    excluded: 'matches exclude_domains or exclude_urls',
    'excluded-selector': 'matches exclude_selectors',
    unsubscribe: 'an unsubscribe link, by its mark or List-Unsubscribe',
    'url-text': 'the visible text is itself a URL (track_url_text)',
    'unclear-end': 'mail programs do not agree where the URL begins or ends',
    'line-too-long': 'the line would pass 998 bytes',
    growth: 'the message would grow past max_growth',
    'too-long': 'its target is too long for a link, or those of the message together are',
  },
} as const;

type Groups = typeof SKIP_REASONS;

export type SkipReason = { [Group in keyof Groups]: keyof Groups[Group] }[keyof Groups];
