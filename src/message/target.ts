import { domainToASCII } from 'node:url';
import type { LeftAlone } from './outcome.ts';

/** Where a link leads. */
export interface Target {
  /** The exact target: ASCII, http or https. */
  readonly target: string;
  /** Host and port as a browser understands them: lower case, without the scheme's own port. */
  readonly host: string;
}

/**
 * What a browser would open: tabs, line breaks and outer white space dropped, a relative link resolved by
 * the base, non-ASCII percent-encoded (punycode in the host). All that was valid stays as it was written.
 *
 * @param written the link as Unicode text, entities decoded
 * @param base what relative links are resolved by
 * @param utf8Queries whether non-ASCII characters of a query are sent as UTF-8; where not, it is not certain how
 * @returns the reason where the link is not one to be tracked
 */
export function targetOf(
  written: string,
  base: URL | undefined,
  utf8Queries: boolean,
): Target | LeftAlone {
  const link = UNPRINTABLE.test(written) ? trim(written).replace(/[\t\n\r]/g, '') : written;
  if (ONLY_PLACEHOLDER.test(link)) {
    return 'placeholder';
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(link)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (base === undefined || link === '' || link.startsWith('#')) {
      return 'relative';
    }
    return resolved(link, base, utf8Queries);
  }
  if (scheme !== 'http' && scheme !== 'https') {
    return 'scheme';
  }
  const parts = ABSOLUTE.exec(link);
  if (parts === null) {
    return resolved(link, base, utf8Queries); // `http:/host`, `http:path`: browsers make something of them
  }
  const [, start = '', authority = '', rest = ''] = parts;
  if (PLACEHOLDER.test(authority)) {
    return 'placeholder';
  }
  if (!UNPRINTABLE.test(link)) {
    return checked(link, authority);
  }
  if (!utf8Queries && NOT_ASCII.test(queryOf(rest))) {
    return 'charset';
  }
  const host = asciiAuthority(authority);
  return checked(start + host + percentEncode(rest), host);
}

/** The base of a document: an absolute http or https URL, else it has none that matters here. */
export function baseOf(href: string | undefined): URL | undefined {
  const found = href === undefined ? 'relative' : targetOf(href, undefined, true);
  return typeof found === 'string' ? undefined : new URL(found.target);
}

/** What template engines leave behind when nobody filled it in: in a host, and as a whole link. */
const PLACEHOLDER = /\{\{|\*\||%%|\[\[/;
const ONLY_PLACEHOLDER = /^(?:\{\{.*\}\}|\*\|.*\|\*|%%.*%%|\[\[.*\]\])$/;

/** Scheme, authority, and all that follows. */
const ABSOLUTE = /^(https?:\/\/)([^/?#\\]+)(.*)$/is;
const NOT_ASCII = /[^\0-\x7f]/;
const UNPRINTABLE = /[^!-~]/;

function resolved(link: string, base: URL | undefined, utf8Queries: boolean): Target | LeftAlone {
  if (!utf8Queries && NOT_ASCII.test(link)) {
    return 'charset';
  }
  if (!URL.canParse(link, base?.href)) {
    return 'invalid-url';
  }
  const { protocol, href, host } = new URL(link, base);
  return protocol === 'http:' || protocol === 'https:' ? { target: href, host } : 'scheme';
}

function queryOf(rest: string): string {
  return /^[^?#]*(\?[^#]*)?/.exec(rest)?.[1] ?? '';
}

/** A host without anything for a browser to normalise. */
const PLAIN_HOST = /^(?!(?:.*\.)?(?:\d+|0x[\da-f]*)$|xn--|.*\.xn--)[a-z\d.-]+$/;

function checked(target: string, authority: string): Target | LeftAlone {
  if (!URL.canParse(target)) {
    return 'invalid-url';
  }
  // Making a URL costs more than all else that is done to most links.
  return { target, host: PLAIN_HOST.test(authority) ? authority : new URL(target).host };
}

/** A host that is not ASCII is written as DNS knows it. */
function asciiAuthority(authority: string): string {
  if (!NOT_ASCII.test(authority)) {
    return authority;
  }
  const at = authority.lastIndexOf('@') + 1;
  const [host = '', port = ''] = authority.slice(at).split(/(?=:\d*$)/);
  return percentEncode(authority.slice(0, at)) + domainToASCII(host) + port;
}

/** Spaces and control characters too, which cannot stand in an HTTP header. */
function percentEncode(text: string): string {
  return text.replace(/[^!-~]+/g, (run) =>
    [...Buffer.from(run)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** Without the C0 control characters and spaces around it. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) {
    start++;
  }
  while (end > start && text.charCodeAt(end - 1) <= 0x20) {
    end--;
  }
  return text.slice(start, end);
}
