import { isPrintableAscii } from '../lib/text.ts';
import { isPlaceholder, isPlaceholderHost } from './placeholders.ts';
import { MAX_HOST, MAX_TARGET, plainLink } from './plain-link.ts';
import type { SkipReason } from './skip-reasons.ts';

/** The target of a link. */
export interface Target {
  /** The exact http or https URL in ASCII. */
  readonly target: string;
  /** Host and port as a browser spells them: lower case, without the default port of the scheme. */
  readonly host: string;
}

/** The URL that relative links are resolved by. */
export interface Base {
  readonly url: URL;
  /**
   * Characters that resolved links may still have. Each repeats the base, however short it is in
   * the message.
   */
  room: number;
}

/**
 * Finds the URL that a browser would open: tabs, line breaks and outer white space dropped,
 * relative links resolved, non-ASCII characters percent-encoded (punycode in the host). Valid
 * characters are kept as written.
 *
 * @param written the link as Unicode text with entities decoded
 * @param base the URL that relative links are resolved by, or the reason why there is none
 * @param utf8Queries whether browsers send non-ASCII characters of a query as UTF-8. Otherwise the
 * encoding is uncertain
 * @returns the reason, where the link cannot be tracked
 */
export function targetOf(
  written: string,
  base: Base | SkipReason,
  utf8Queries: boolean,
): Target | SkipReason {
  const plain = plainLink(written);
  if (plain !== undefined) {
    return { target: written, host: plain.host };
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
    return resolved(link, base, utf8Queries); // also `http:/host` and `http:path`, which browsers resolve
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
 * The base of a document, which is an absolute http or https URL.
 *
 * @param room characters that all links resolved by it may have in sum
 * @returns the reason why relative links are left alone, where there is no base
 */
export function baseOf(href: string | undefined, room: number): Base | SkipReason {
  const found = href === undefined ? 'relative' : targetOf(href, 'relative', true);
  if (typeof found === 'string') {
    return found === 'too-long' || found === 'placeholder' ? found : 'relative';
  }
  return { url: new URL(found.target), room };
}

/** The scheme, the authority, and the rest of a URL. */
const ABSOLUTE = /^(https?:\/\/)([^/?#\\]+)(.*)$/is;
/** Host and port as written, if there is a host. */
const HOST = /^(?:https?:[/\\]*|[/\\]{2,})(?:[^/?#\\]*@)?([^/?#\\]*)/i;
const NOT_ASCII = /[^\0-\x7f]/;

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

/**
 * Parses a URL. `URL.canParse` of Node 20 is wrong: once compiled, it reads latin1 letters as
 * UTF-8.
 */
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

/** @param hostname the host as a browser spells it, which replaces a non-ASCII host */
function asciiAuthority(authority: string, hostname: string): string {
  const at = authority.lastIndexOf('@') + 1;
  const host = authority.slice(at);
  const port = /:\d*$/.exec(host)?.[0] ?? '';
  return percentEncode(authority.slice(0, at)) + (NOT_ASCII.test(host) ? hostname + port : host);
}

/**
 * Percent-encodes all but printable ASCII, because spaces and control characters are not allowed in
 * an HTTP header.
 */
function percentEncode(text: string): string {
  return text.replace(/[^!-~]+/g, (run) =>
    Buffer.from(run).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}

/** Removes C0 control characters and spaces at both ends. */
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
