import type { Range } from './candidate.ts';

/** What the marks on one link say. */
export interface LinkMarks {
  readonly reason: 'opted-out' | 'unsubscribe' | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
}

/** Momentum's limit for link names, in bytes. */
const MAX_NAME = 63;

/** In bytes, percent-encoded: far below what the redirect endpoint and web servers before it take for a URL. */
const MAX_SUBLINK = 500;

/** Components with a dot before them name files (`.well-known`) or go up, and web servers refuse null characters. */
const LEADS_NOWHERE = /(?:^|\/)(?:\.|%2e)|%00/i;

/** Marks of this product: they are removed from the outgoing message. */
export const OWN_MARK = 'data-msys-';

/** Attributes of other vendors' systems that `readMarks` knows. */
export const VENDORS_MARKS = [
  'clicktracking',
  'disable-tracking',
  'data-pm-no-track',
  'ses:no-track',
  'tracking',
  'data-mautic-disable-tracking',
  'mautic:disable-tracking',
];

const NO_MARKS: LinkMarks = { reason: undefined, name: undefined, sublink: undefined };

/**
 * Reads the marks, ours and those of other vendors' systems that people's templates carry.
 *
 * @param attributes by lower-case name; an attribute without a value has an empty one
 */
export function readMarks(attributes: ReadonlyMap<string, string> | undefined): LinkMarks {
  if (attributes === undefined) {
    return NO_MARKS; // as nearly every link
  }
  const is = (name: string, ...values: string[]): boolean => {
    const value = attributes.get(name)?.trim().toLowerCase();
    return value !== undefined && values.includes(value);
  };
  const optedOut =
    is('data-msys-clicktrack', '0', 'false', 'off', 'no') ||
    is('clicktracking', 'off', 'false', '0') || // SendGrid
    is('disable-tracking', 'true', '', 'yes', '1', 'disable-tracking') || // Mailgun
    attributes.has('data-pm-no-track') || // Postmark
    attributes.has('ses:no-track') || // Amazon SES
    is('tracking', 'off', 'false', '0') || // Halon
    is('data-mautic-disable-tracking', 'true', '', '1') || // Mautic
    is('mautic:disable-tracking', 'true', '', '1');
  const unsubscribe = is('data-msys-unsubscribe', '1', 'true');
  return {
    reason: optedOut ? 'opted-out' : unsubscribe ? 'unsubscribe' : undefined,
    name: linkName(attributes.get('data-msys-linkname')),
    sublink: sublink(attributes.get('data-msys-sublink')),
  };
}

/**
 * Whatever may not stand in a path (RFC 3986, section 3.3) is percent-encoded: after a `?` the token would not be found.
 * So is what readers of plain text may take for the end of the link.
 *
 * @returns undefined also for one whose links would lead nowhere
 */
function sublink(value: string | undefined): string | undefined {
  const path = value?.trim().replace(/[^\w.~$&+=:@%/-]+|%(?![\da-f]{2})/gi, (odd) => {
    const bytes = Buffer.from(odd).toString('hex').toUpperCase();
    return bytes.replace(/../g, '%$&');
  });
  return !path || path.length > MAX_SUBLINK || LEADS_NOWHERE.test(path) ? undefined : path;
}

/** Postal's mark is in the scheme itself: `https+notrack://…`. */
const NOTRACK = '+notrack';

/** Where `+notrack` stands in the link that begins at an offset. */
export function notrackAt(text: string, start: number): Range | undefined {
  const http = start + 'http'.length;
  const plus = text[http] === '+' ? http : http + 1;
  if (text[plus] !== '+') {
    return undefined; // as nearly every link
  }
  const mark = /https?\+notrack:\/\//iy;
  mark.lastIndex = start;
  return mark.test(text) ? { start: plus, end: plus + NOTRACK.length } : undefined;
}

/** The link that a reader of the outgoing message follows. */
export function withoutNotrack(written: string): string {
  return written.replace(/\+notrack/i, '');
}

function linkName(value: string | undefined): string | undefined {
  const name = value?.trim();
  if (!name) {
    return undefined;
  }
  const bytes = Buffer.from(name);
  // A character cut in two at the limit is left out.
  return bytes.length <= MAX_NAME
    ? name
    : bytes
        .subarray(0, MAX_NAME)
        .toString()
        .replace(/\ufffd+$/, '');
}
