import type { Range } from './link.ts';
import type { ReadingOptions } from './open-message.ts';

/** What the marks on one link say. */
export interface LinkMarks {
  readonly reason: 'opted-out' | 'unsubscribe' | undefined;
  /** Whether the link is tracked as an unsubscribe link. */
  readonly unsubscribe: true | undefined;
  readonly name: string | undefined;
  readonly sublink: string | undefined;
}

/** Momentum's limit for link names, in bytes. */
const MAX_NAME = 63;

/** In bytes, percent-encoded: far below what the redirect endpoint and web servers before it take for a URL. */
const MAX_SUBLINK = 500;

/** Components with a dot before them name files (`.well-known`) or go up, and web servers refuse null characters. */
const LEADS_NOWHERE = /(?:^|\/)(?:\.|%2e)|%00/i;

/** A mark that templates carry, on a link. This table is the only place that knows it. */
export interface Mark {
  readonly vendor: string;
  /** As a template has it. */
  readonly example: string;
  /** In an attribute of that name, in lower case; as one of the classes; in the scheme or the query of the URL. */
  readonly place: 'attribute' | 'class' | 'scheme' | 'query';
  readonly name: string;
  /** The values with which it counts: of those that switch tracking off, or all others; absent for any. */
  readonly value?: 'off' | 'not off';
  readonly means: 'opted-out' | 'unsubscribe' | 'name' | 'sublink';
  /** Ours: it is removed from the outgoing message. */
  readonly isRemoved?: true;
}

/** Attributes of this product, and marks of such a name in text (`[[data-msys-…]]`): all of them are removed. */
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
const ANY_QUERY = new RegExp(
  `[?&](?:amp;)?(?:${marksIn('query').map(({ name }) => name)})(?=[&#]|$)`,
  'i',
);

/** The attributes that marks are in. */
export const MARKED_ATTRIBUTES: readonly string[] = [...BY_ATTRIBUTE.keys(), 'class'];

const SWITCHED_OFF: ReadonlySet<string> = new Set(['0', 'false', 'off', 'no']);

const NO_MARKS: LinkMarks = {
  reason: undefined,
  unsubscribe: undefined,
  name: undefined,
  sublink: undefined,
};

/**
 * Reads the marks, ours and those of other vendors' systems that people's templates carry.
 *
 * @param attributes by lower-case name; an attribute without a value has an empty one
 */
export function readMarks(
  attributes: ReadonlyMap<string, string> | undefined,
  unsubscribeLinks: ReadingOptions['unsubscribeLinks'],
): LinkMarks {
  if (attributes === undefined) {
    return NO_MARKS; // as nearly every link
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

/** Whether one of the classes is a mark. Most links have classes, and few a mark. */
export function isMarkedClass(classes: string): boolean {
  return ANY_CLASS.test(classes);
}

/** Whether the URL itself carries a mark in its query. */
export function isOptedOutByQuery(url: string): boolean {
  return ANY_QUERY.test(url);
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
