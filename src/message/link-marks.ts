import type { Range } from './link.ts';
import type { ReadingOptions } from './reading-options.ts';

/** The meaning of the marks of one link. */
export interface LinkMarks {
  readonly reason: 'opted-out' | 'unsubscribe' | undefined;
  /** Whether the link is tracked as an unsubscribe link. */
  readonly unsubscribe: true | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
}

/** Momentum's limit of link names in bytes. */
const MAX_NAME = 63;

/** The limit of percent-encoded sublinks in bytes, far below that of URLs in web servers. */
const MAX_SUBLINK = 500;

/**
 * Components that begin with a dot are files such as `.well-known` or `..`, and web servers refuse
 * null characters.
 */
const LEADS_NOWHERE = /(?:^|\/)(?:\.|%2e)|%00/i;

/** A mark of a link in a template. This table is its only definition. */
export interface Mark {
  readonly vendor: string;
  /** The mark as it stands in a template. */
  readonly example: string;
  /** An attribute, one of the classes, or the scheme or query of the URL. */
  readonly place: 'attribute' | 'class' | 'scheme' | 'query';
  /** The lower-case name of the attribute or class, or the text in the URL. */
  readonly name: string;
  /**
   * The values that count: those that mean "off", or all others. Absent where every value counts.
   */
  readonly value?: 'off' | 'not off';
  readonly means: 'opted-out' | 'unsubscribe' | 'name' | 'sublink';
  /** Whether the mark is removed from the outgoing message. */
  readonly isRemoved?: true;
}

/**
 * Attributes with this prefix, and marks in text (`[[data-msys-…]]`), are clickmilter's own and are
 * removed.
 */
export const OWN_MARK = 'data-msys-';

const own = (
  name: string,
  value: string,
  means: Mark['means'],
  more?: Pick<Mark, 'value'>,
): Mark => ({
  vendor: 'SparkPost, clickmilter',
  example: `${OWN_MARK}${name}="${value}"`,
  place: 'attribute',
  name: OWN_MARK + name,
  means,
  isRemoved: true,
  ...more,
});

const optOut = (
  vendor: string,
  example: string,
  more?: Partial<Pick<Mark, 'value' | 'place' | 'name' | 'isRemoved'>>,
): Mark => ({
  vendor,
  example,
  place: 'attribute',
  name: example.replace(/=.*/, '').toLowerCase(),
  means: 'opted-out',
  ...more,
});

export const MARKS: readonly Mark[] = [
  own('clicktrack', '0', 'opted-out', { value: 'off' }),
  own('unsubscribe', '1', 'unsubscribe', { value: 'not off' }),
  own('linkname', 'Spring offer', 'name'),
  own('sublink', 'app/offers', 'sublink'),
  optOut('SendGrid', 'clicktracking="off"', { value: 'off' }),
  optOut('Mailgun', 'disable-tracking="true"', { value: 'not off' }),
  optOut('Postmark', 'data-pm-no-track'),
  optOut('Amazon SES', 'ses:no-track'),
  optOut('Mandrill', 'mc:disable-tracking', { value: 'not off' }),
  optOut('Campaign Monitor', 'cm_dontconvertlink'),
  optOut('Campaign Monitor, formerly MailBuild', 'mb_dontconvertlink'),
  optOut('Customer.io', 'class="untracked"', { place: 'class', name: 'untracked' }),
  optOut('Marketo', 'class="mktNoTrack"', { place: 'class', name: 'mktnotrack' }),
  optOut('MessageGears', 'autotrack="false"', { value: 'off' }),
  optOut('SocketLabs', 'HsTracking="false"', { value: 'off' }),
  optOut('AhaSend', 'data-as-no-track'),
  optOut('Halon', 'tracking="off"', { value: 'off' }),
  optOut('Mautic', 'data-mautic-disable-tracking="true"', { value: 'not off' }),
  optOut('Mautic', 'mautic:disable-tracking="true"', { value: 'not off' }),
  optOut('Mautic', 'mautic:disable:tracking="true"', { value: 'not off' }),
  optOut('Mapp Engage', 'ecm:tracking="false"', { value: 'off' }),
  optOut('Keap', 'class="inf-track-no"', { place: 'class', name: 'inf-track-no' }),
  optOut('Keap, formerly', 'nottracked="true"', { value: 'not off' }),
  optOut('Kannon', 'data-no-track', { value: 'not off' }),
  optOut('ahoy_email', 'data-skip-click="true"', { value: 'not off' }),
  optOut('ahoy_email, formerly', 'data-disable-tracking="true"', { value: 'not off' }),
  optOut('TYPO3', 'no_jumpurl="1"', { value: 'not off' }),
  optOut('TYPO3', 'https://example.com/?no_jumpurl=1', { place: 'query', name: 'no_jumpurl=1' }),
  optOut('Postal', 'https+notrack://example.com/', {
    place: 'scheme',
    name: '+notrack',
    isRemoved: true,
  }),
];

const marksIn = (place: Mark['place']) => MARKS.filter((mark) => mark.place === place);
const BY_ATTRIBUTE = new Map(marksIn('attribute').map((mark) => [mark.name, mark]));
const CLASSES = marksIn('class').map(({ name }) => name);
const ANY_CLASS = new RegExp(`(?:^|\\s)(?:${CLASSES.join('|')})(?=\\s|$)`, 'i');
const QUERIES = marksIn('query').map(({ name }) => name);
const ANY_QUERY = new RegExp(`[?&](?:amp;)?(?:${QUERIES.join('|')})(?=[&#]|$)`, 'i');
/** A pattern of letters alone is found several times as fast. */
const QUERY_NAME = new RegExp(QUERIES.join('|'), 'i');

/** The attributes that may hold marks. */
export const MARKED_ATTRIBUTES: readonly string[] = [...BY_ATTRIBUTE.keys(), 'class'];

const SWITCHED_OFF: ReadonlySet<string> = new Set(['0', 'false', 'off', 'no']);

const NO_MARKS: LinkMarks = {
  reason: undefined,
  unsubscribe: undefined,
  name: undefined,
  sublink: undefined,
};

/**
 * Reads the marks of a link: clickmilter's own, and those of other vendors' systems.
 *
 * @param attributes values by lower-case name. An attribute without a value is empty
 */
export function readMarks(
  attributes: ReadonlyMap<string, string> | undefined,
  unsubscribeLinks: ReadingOptions['unsubscribeLinks'],
): LinkMarks {
  if (attributes === undefined) {
    return NO_MARKS; // as for nearly every link
  }
  const said = new Map<Mark['means'], string>();
  for (const [name, value] of attributes) {
    const mark = BY_ATTRIBUTE.get(name);
    const isOff = SWITCHED_OFF.has(value.trim().toLowerCase());
    if (mark !== undefined && (mark.value === undefined || (mark.value === 'off') === isOff)) {
      said.set(mark.means, value);
    } else if (name === 'class' && isMarkedClass(value)) {
      said.set('opted-out', value);
    }
  }
  const isOptedOut = said.has('opted-out');
  const isUnsubscribe = said.has('unsubscribe') && !isOptedOut;
  const isTracked = isUnsubscribe && unsubscribeLinks === 'track';
  return {
    reason: isOptedOut ? 'opted-out' : isUnsubscribe && !isTracked ? 'unsubscribe' : undefined,
    unsubscribe: isTracked || undefined,
    name: linkName(said.get('name')),
    sublink: sublink(said.get('sublink')),
  };
}

/** Whether one of the classes is a mark. Most links have classes, and few have a mark. */
export function isMarkedClass(classes: string): boolean {
  return ANY_CLASS.test(classes);
}

/** Whether the query of a URL holds a mark. */
export function isOptedOutByQuery(url: string): boolean {
  return QUERY_NAME.test(url) && ANY_QUERY.test(url);
}

/**
 * Percent-encodes a sublink: characters that are not allowed in a path (RFC 3986 §3.3), and
 * characters that readers of plain text may treat as the end of the link.
 *
 * @returns undefined for a sublink that web servers do not accept, too
 */
function sublink(value: string | undefined): string | undefined {
  const path = value?.trim().replace(/[^\w.~$&+=:@%/-]+|%(?![\da-f]{2})/gi, (odd) => {
    const bytes = Buffer.from(odd).toString('hex').toUpperCase();
    return bytes.replace(/../g, '%$&');
  });
  return !path || path.length > MAX_SUBLINK || LEADS_NOWHERE.test(path) ? undefined : path;
}

/** Postal's mark in the scheme: `https+notrack://…`. */
const NOTRACK = '+notrack';

/** The place of `+notrack` in the link that begins at an offset. */
export function notrackAt(text: string, start: number): Range | undefined {
  const http = start + 'http'.length;
  const plus = text[http] === '+' ? http : http + 1;
  if (text[plus] !== '+') {
    return undefined; // as for nearly every link
  }
  const mark = /https?\+notrack:\/\//iy;
  mark.lastIndex = start;
  return mark.test(text) ? { start: plus, end: plus + NOTRACK.length } : undefined;
}

/** A link without `+notrack`, as it stands in the outgoing message. */
export function withoutNotrack(written: string): string {
  return written.replace(/\+notrack/i, '');
}

function linkName(value: string | undefined): string | undefined {
  const name = value?.trim();
  if (!name) {
    return undefined;
  }
  const bytes = Buffer.from(name);
  // A character that is cut in two at the limit is dropped.
  return bytes.length <= MAX_NAME
    ? name
    : bytes
        .subarray(0, MAX_NAME)
        .toString()
        .replace(/\ufffd+$/, '');
}
