import { isPrintableAscii } from '../lib/text.ts';
import { isPlaceholder, isPlaceholderHost } from './placeholders.ts';
import type { SkipReason } from './skip-reasons.ts';

/** Where a link leads. */
export interface Target {
  /** The exact target: ASCII, http or https. */
  readonly target: string;
  /** Host and port as a browser understands them: lower case, without the scheme's own port. */
  readonly host: string;
}

/** What relative links are resolved by. */
export interface Base {
  readonly url: URL;
  /** Characters that resolved links may still have: each repeats the base, however short it is in the message. */
  room: number;
}

/**
 * What a browser would open: tabs, line breaks and outer white space dropped, a relative link resolved by
 * the base, non-ASCII percent-encoded (punycode in the host). All that was valid stays as it was written.
 *
 * @param written the link as Unicode text, entities decoded
 * @param base what relative links are resolved by, or the reason why there is nothing
 * @param utf8Queries whether non-ASCII characters of a query are sent as UTF-8; where not, it is not certain how
 * @returns the reason where the link is not one to be tracked
 */
export function targetOf(
  written: string,
  base: Base | SkipReason,
  utf8Queries: boolean,
): Target | SkipReason {
  const plain = plainHost(written);
  if (plain !== undefined) {
    return { target: written, host: plain };
  }
  const link = !isPrintableAscii(written) ? trim(written).replace(/[\t\n\r]/g, '') : written;
  if (isPlaceholder(link)) {
    return 'placeholder';
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(link)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (typeof base === 'string') {
      return base;
    }
    if (link === '' || link.startsWith('#')) {
      return 'relative';
    }
  } else if (scheme !== 'http' && scheme !== 'https') {
    return 'scheme';
  }
  if (link.length > MAX_TARGET) {
    return 'too-long';
  }
  if ((HOST.exec(link)?.[1] ?? '').length > MAX_HOST) {
    return 'invalid-url';
  }
  const parts = ABSOLUTE.exec(link);
  if (parts === null) {
    return resolved(link, base, utf8Queries); // or `http:/host`, `http:path`: browsers make something of them
  }
  const [, start = '', authority = '', rest = ''] = parts;
  if (isPlaceholderHost(authority)) {
    return 'placeholder';
  }
  if (!utf8Queries && NOT_ASCII.test(queryOf(rest))) {
    return 'charset';
  }
  const url = parse(link);
  if (url === undefined) {
    return 'invalid-url';
  }
  const target = !isPrintableAscii(link)
    ? start + asciiAuthority(authority, url.hostname) + percentEncode(rest)
    : link;
  return target.length > MAX_TARGET ? 'too-long' : { target, host: url.host };
}

/**
 * The base of a document: an absolute http or https URL.
 *
 * @param room characters that all links resolved by it may have together
 * @returns the reason for relative links to be left alone where it has none
 */
export function baseOf(href: string | undefined, room: number): Base | SkipReason {
  const found = href === undefined ? 'relative' : targetOf(href, 'relative', true);
  if (typeof found === 'string') {
    return found === 'too-long' || found === 'placeholder' ? found : 'relative';
  }
  return { url: new URL(found.target), room };
}

/**
 * The host of what nearly all links are: printable ASCII, with a host that a browser has nothing to normalise or to
 * refuse in. Such a link is its own target. Making a URL of it would cost more than all else that is done to a link.
 */
export function plainHost(link: string): string | undefined {
  return link.length <= MAX_TARGET && PLAIN.test(link) ? hostOf(link) : undefined;
}

/** The same of an attribute's value as it is written, with `&amp;` as the only entity. */
export function plainHostInHtml(value: string): string | undefined {
  return value.length <= MAX_TARGET && PLAIN_IN_HTML.test(value) ? hostOf(value) : undefined;
}

/** Web servers refuse longer ones, and each click repeats the target in its event. */
const MAX_TARGET = 8 * 1024;

const PLAIN_ORIGIN = /^https?:\/\/[a-z\d.-]+\.[a-z]{2,}/.source;
const PLAIN = new RegExp(`${PLAIN_ORIGIN}(?:[/?#][!-~]*)?$`);
const PLAIN_IN_HTML = new RegExp(`${PLAIN_ORIGIN}(?:[/?#][!-%'-~]*(?:&amp;[!-%'-~]*)*)?$`);

function hostOf(link: string): string | undefined {
  const start = link.indexOf('/') + 2;
  const slash = link.indexOf('/', start);
  const behindScheme = slash === -1 ? link.slice(start) : link.slice(start, slash);
  const host = /[?#]/.test(behindScheme) ? behindScheme.replace(/[?#].*/, '') : behindScheme;
  // A browser checks names in punycode.
  return host.length > MAX_HOST || host.includes('xn--') ? undefined : host;
}

/** Scheme, authority, and all that follows. */
const ABSOLUTE = /^(https?:\/\/)([^/?#\\]+)(.*)$/is;
/** Host and port as they are written, as far as there is a host. */
const HOST = /^(?:https?:[/\\]*|[/\\]{2,})(?:[^/?#\\]*@)?([^/?#\\]*)/i;
const NOT_ASCII = /[^\0-\x7f]/;

/** DNS has names of 253 characters; for longer ones the time it takes to make ASCII of them grows faster than they do. */
const MAX_HOST = 300;

function resolved(
  link: string,
  base: Base | SkipReason,
  utf8Queries: boolean,
): Target | SkipReason {
  if (!utf8Queries && NOT_ASCII.test(link)) {
    return 'charset';
  }
  if (typeof base === 'object') {
    base.room -= base.url.href.length + link.length;
    if (base.room < 0) {
      return 'growth';
    }
  }
  const url = parse(link, typeof base === 'object' ? base.url : undefined);
  if (url === undefined) {
    return 'invalid-url';
  }
  const { protocol, href, host } = url;
  if (protocol !== 'http:' && protocol !== 'https:') {
    return 'scheme';
  }
  return href.length > MAX_TARGET ? 'too-long' : { target: href, host };
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
