/**
 * A link that is its own target: printable ASCII, with a host that browsers neither normalise nor
 * refuse. Nearly all links are plain. To parse one would cost more than all other steps.
 */
export interface PlainLink {
  readonly written: string;
  readonly host: string;
  /** Whether the link may have a placeholder, or a mark in its query. */
  readonly hasSigns: boolean;
}

/**
 * The longest target in characters. Web servers refuse longer ones, and each click repeats the
 * target in its event.
 */
export const MAX_TARGET = 8 * 1024;
/**
 * Names in DNS have at most 253 characters. The time to convert longer names to ASCII is not
 * linear.
 */
export const MAX_HOST = 300;

const ORIGIN = /^https?:\/\/[a-z\d.-]+\.[a-z]{2,}/.source;
const PLAIN = new RegExp(`${ORIGIN}(?:[/?#][!-~]*)?$`);
const PLAIN_IN_HTML = new RegExp(`${ORIGIN}(?:[/?#][!-%'-~]*(?:&amp;[!-%'-~]*)*)?$`);
/**
 * Nearly all plain links have none of `#$%&<@[{|~`, one of which every placeholder but `=-x-` has,
 * and no letter j, which every mark in a query has.
 */
const NO_SIGN = '!"\'-;=>?A-IK-Z\\\\-`a-ik-z}';
const WITHOUT_SIGNS = new RegExp(`${ORIGIN}(?:[/?][&${NO_SIGN}]*)?$`);
const WITHOUT_SIGNS_IN_HTML = new RegExp(`${ORIGIN}(?:[/?][${NO_SIGN}]*(?:&amp;[${NO_SIGN}]*)*)?$`);

/** @returns undefined for a link that is not plain */
export function plainLink(link: string): PlainLink | undefined {
  if (link.length > MAX_TARGET) {
    return undefined;
  }
  const hasSigns = !WITHOUT_SIGNS.test(link) || link.includes('=-');
  return hasSigns && !PLAIN.test(link) ? undefined : withHost(link, link, hasSigns);
}

/** Reads an attribute value. A link with another entity than `&amp;` is not plain. */
export function plainLinkInHtml(value: string): PlainLink | undefined {
  if (value.length > MAX_TARGET) {
    return undefined;
  }
  // Patterns are tested here, since this value is one piece of memory, unlike the decoded one.
  const hasSigns = !WITHOUT_SIGNS_IN_HTML.test(value) || value.includes('=-');
  return hasSigns && !PLAIN_IN_HTML.test(value)
    ? undefined
    : withHost(value, withoutAmp(value), hasSigns);
}

function withHost(link: string, written: string, hasSigns: boolean): PlainLink | undefined {
  const start = link.indexOf('/') + 2;
  const slash = link.indexOf('/', start);
  const behindScheme = slash === -1 ? link.slice(start) : link.slice(start, slash);
  const host = /[?#]/.test(behindScheme) ? behindScheme.replace(/[?#].*/, '') : behindScheme;
  // A browser checks names in punycode.
  return host.length > MAX_HOST || host.includes('xn--') ? undefined : { written, host, hasSigns };
}

/** Decodes `&amp;`, the only entity in a plain link. `replaceAll` would take longer. */
function withoutAmp(link: string): string {
  let at = link.indexOf('&');
  if (at === -1) {
    return link;
  }
  let result = link.slice(0, ++at);
  for (;;) {
    const start = at + 'amp;'.length;
    at = link.indexOf('&', start) + 1;
    if (at === 0) {
      return result + link.slice(start);
    }
    result += link.slice(start, at);
  }
}
