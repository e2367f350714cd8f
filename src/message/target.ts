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
  const plain = plainHost(written);
  if (plain !== undefined) {
    return { target: written, host: plain };
  }
  const link = UNPRINTABLE.test(written) ? trim(written).replace(/[\t\n\r]/g, '') : written;
  if (ONLY_PLACEHOLDER.test(link)) {
    return 'placeholder';
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(link)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (base === undefined || link === '' || link.startsWith('#')) {
      return 'relative';
    }
  } else if (scheme !== 'http' && scheme !== 'https') {
    return 'scheme';
  }
  if (isTooLong(link)) {
    return 'invalid-url';
  }
  const parts = ABSOLUTE.exec(link);
  if (parts === null) {
    return resolved(link, base, utf8Queries); // or `http:/host`, `http:path`: browsers make something of them
  }
  const [, start = '', authority = '', rest = ''] = parts;
  if (PLACEHOLDER.test(authority)) {
    return 'placeholder';
  }
  if (!utf8Queries && NOT_ASCII.test(queryOf(rest))) {
    return 'charset';
  }
  const url = parse(link);
  if (url === undefined) {
    return 'invalid-url';
  }
  const target = UNPRINTABLE.test(link)
    ? start + asciiAuthority(authority, url.hostname) + percentEncode(rest)
    : link;
  return { target, host: url.host };
}

/** The base of a document: an absolute http or https URL, else it has none that matters here. */
export function baseOf(href: string | undefined): URL | undefined {
  const found = href === undefined ? 'relative' : targetOf(href, undefined, true);
  return typeof found === 'string' ? undefined : new URL(found.target);
}

/** What template engines leave behind when nobody filled it in: in a host, and as a whole link. */
const PLACEHOLDER = /\{\{|\*\||%%|\[\[/;
const ONLY_PLACEHOLDER = /^(?:\{\{.*\}\}|\*\|.*\|\*|%%.*%%|\[\[.*\]\])$/;

/**
 * The host of what nearly all links are: printable ASCII, with a host that a browser has nothing to normalise or to
 * refuse in. Such a link is its own target. Making a URL of it would cost more than all else that is done to a link.
 */
export function plainHost(link: string): string | undefined {
  return link.length <= MAX_LINK && PLAIN.test(link) ? hostOf(link) : undefined;
}

/** The same of an attribute's value as it is written, with `&amp;` as the only entity. */
export function plainHostInHtml(value: string): string | undefined {
  return value.length <= MAX_LINK && PLAIN_IN_HTML.test(value) ? hostOf(value) : undefined;
}

/** Chrome opens no longer ones, and the patterns here run out of stack on some ten times as long. */
const MAX_LINK = 2 * 1024 * 1024;

const PLAIN_ORIGIN = /^https?:\/\/(?![a-z\d.-]*xn--)[a-z\d.-]+\.[a-z]{2,}/.source;
const PLAIN = new RegExp(`${PLAIN_ORIGIN}(?:[/?#][!-~]*)?$`);
const PLAIN_IN_HTML = new RegExp(`${PLAIN_ORIGIN}(?:[/?#][!-%'-~]*(?:&amp;[!-%'-~]*)*)?$`);

function hostOf(link: string): string {
  const start = link.indexOf('/') + 2;
  const slash = link.indexOf('/', start);
  const host = slash === -1 ? link.slice(start) : link.slice(start, slash);
  return /[?#]/.test(host) ? host.replace(/[?#].*/, '') : host;
}

/** Scheme, authority, and all that follows. */
const ABSOLUTE = /^(https?:\/\/)([^/?#\\]+)(.*)$/is;
/** Host and port as they are written, as far as there is a host. */
const HOST = /^(?:https?:[/\\]*|[/\\]{2,})(?:[^/?#\\]*@)?([^/?#\\]*)/i;
const NOT_ASCII = /[^\0-\x7f]/;
const UNPRINTABLE = /[^!-~]/;

/** DNS has names of 253 characters; for longer ones the time it takes to make ASCII of them grows faster than they do. */
const MAX_HOST = 300;

function isTooLong(link: string): boolean {
  return link.length > MAX_LINK || (HOST.exec(link)?.[1] ?? '').length > MAX_HOST;
}

function resolved(link: string, base: URL | undefined, utf8Queries: boolean): Target | LeftAlone {
  if (!utf8Queries && NOT_ASCII.test(link)) {
    return 'charset';
  }
  const url = parse(link, base);
  if (url === undefined) {
    return 'invalid-url';
  }
  const { protocol, href, host } = url;
  return protocol === 'http:' || protocol === 'https:' ? { target: href, host } : 'scheme';
}

/** Node 20's `URL.canParse` cannot be asked: once it is compiled, it takes the letters of latin1 for UTF-8. */
function parse(link: string, base?: URL): URL | undefined {
  try {
    return new URL(link, base);
  } catch {
    return undefined;
  }
}

function queryOf(rest: string): string {
  return /^[^?#]*(\?[^#]*)?/.exec(rest)?.[1] ?? '';
}

/** @param hostname what a browser makes of the host: written instead of one that is not ASCII */
function asciiAuthority(authority: string, hostname: string): string {
  const at = authority.lastIndexOf('@') + 1;
  const host = authority.slice(at);
  const port = /:\d*$/.exec(host)?.[0] ?? '';
  return percentEncode(authority.slice(0, at)) + (NOT_ASCII.test(host) ? hostname + port : host);
}

/** Spaces and control characters too, which cannot stand in an HTTP header. */
function percentEncode(text: string): string {
  return text.replace(/[^!-~]+/g, (run) =>
    Buffer.from(run).toString('hex').toUpperCase().replace(/../g, '%$&'),
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
