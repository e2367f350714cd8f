import { isRecord, parseJson } from '../lib/values.ts';
import { decodedText } from '../message/header-fields.ts';
import {
  boundNames,
  boundTags,
  isCampaignId,
  MAX_CAMPAIGN_ID_LENGTH,
} from '../scope/context-variables.ts';
import type { Vendor } from '../scope/tracking-options.ts';

/** What header fields of other vendors ask for, while they are read. */
export interface VendorWishes {
  clickTracking?: boolean;
  clickTrackingParts?: 'both' | 'html' | 'text';
  campaignId?: string;
  readonly tags: string[];
  /** The header that asked for each of these, by its name here. */
  readonly askedBy: Map<string, string>;
  /** Header fields, and parts of them, that clickmilter does not act upon. */
  readonly notDone: string[];
}

interface VendorHeader {
  /** As the vendor writes it. */
  readonly name: string;
  /**
   * Takes over one value, without folds and encoded words.
   * @returns what was ignored in it, as sentences that begin with the name of the header
   */
  read(value: string, wishes: VendorWishes): readonly string[];
}

interface VendorHeaders {
  readonly headers: readonly VendorHeader[];
  /** The beginnings of its other headers, in lower case: they are not done. */
  readonly others: readonly string[];
}

/** A value of a header, in lower case, and what it asks for. */
type Words = Readonly<Record<string, Pick<VendorWishes, 'clickTracking' | 'clickTrackingParts'>>>;

const ON = { clickTracking: true } as const;
const OFF = { clickTracking: false } as const;
const BOTH = { clickTracking: true, clickTrackingParts: 'both' } as const;
const HTML = { clickTracking: true, clickTrackingParts: 'html' } as const;
const TEXT = { clickTracking: true, clickTrackingParts: 'text' } as const;

/** The per-message headers of other vendors, as they document them: `accept_headers`. */
export const VENDOR_HEADERS: Readonly<Record<Vendor, VendorHeaders>> = {
  mailgun: {
    // The one for clicks is more specific, so it is read after the one for all tracking.
    headers: [
      choice('X-Mailgun-Track', { yes: {}, true: {}, no: OFF, false: OFF }),
      choice('X-Mailgun-Track-Clicks', { yes: ON, true: ON, htmlonly: HTML, no: OFF, false: OFF }),
      tags('X-Mailgun-Tag', (value) => [value]),
    ],
    others: ['x-mailgun-'],
  },
  postmark: {
    headers: [
      choice('X-PM-TrackLinks', { none: OFF, htmlandtext: BOTH, htmlonly: HTML, textonly: TEXT }),
      tags('X-PM-Tag', (value) => [value]),
    ],
    others: ['x-pm-'],
  },
  sendgrid: { headers: [{ name: 'X-SMTPAPI', read: readXSmtpapi }], others: [] },
  mandrill: {
    headers: [
      { name: 'X-MC-Track', read: readXMcTrack },
      tags('X-MC-Tags', (value) => value.split(',')),
    ],
    others: ['x-mc-'],
  },
  mailjet: {
    headers: [
      choice('X-Mailjet-TrackClick', { 1: ON, 0: OFF }),
      { name: 'X-Mailjet-Campaign', read: readCampaign },
    ],
    others: ['x-mailjet-', 'x-mj-'],
  },
};

const ASKED = ['clickTracking', 'clickTrackingParts', 'campaignId', 'tags'] as const;

/** Words, tags or members of one header that are read. */
const MAX_WORDS = 20;

/**
 * Reads the fields of these vendors' headers.
 * @param valuesOf the values of a header, by its name in lower case
 * @param others names of their other header fields, as they were received
 */
export function readVendorHeaders(
  vendors: readonly Vendor[],
  valuesOf: ReadonlyMap<string, readonly string[]>,
  others: Iterable<string>,
): VendorWishes & { readonly problems: readonly string[] } {
  const wishes: VendorWishes = { tags: [], askedBy: new Map(), notDone: [...others] };
  // The log has each once, however many fields a sender repeats it in.
  const problems = new Set<string>();
  for (const { name, read } of vendors.flatMap((vendor) => VENDOR_HEADERS[vendor].headers)) {
    for (const raw of valuesOf.get(name.toLowerCase()) ?? []) {
      const value = decodedText(raw);
      if (value === '') continue;
      const before = asked(wishes);
      const ignored = read(value, wishes);
      const after = asked(wishes);
      for (const [at, wish] of ASKED.entries()) {
        if (after[at] !== before[at]) wishes.askedBy.set(wish, name);
      }
      for (const rest of ignored) problems.add(`${name} ${rest}`);
    }
  }
  return {
    ...wishes,
    tags: [...boundTags(wishes.tags)],
    problems: [...problems],
    notDone: [...boundNames([...new Set(wishes.notDone)])],
  };
}

/**
 * What is asked for so far. Of the tags, their number: a sender decides how many headers and tags
 * there are.
 */
function asked(wishes: VendorWishes): readonly unknown[] {
  return ASKED.map((wish) => (wish === 'tags' ? wishes.tags.length : wishes[wish]));
}

function choice(name: string, words: Words): VendorHeader {
  return {
    name,
    read(value, wishes) {
      const word = value.toLowerCase();
      if (!Object.hasOwn(words, word)) return [mustBe(Object.keys(words).join(', '))];
      Object.assign(wishes, words[word]);
      return [];
    },
  };
}

function tags(name: string, split: (value: string) => readonly string[]): VendorHeader {
  return {
    name,
    read(value, wishes) {
      for (const tag of split(value)) {
        if (tag.trim() !== '' && wishes.tags.length < MAX_WORDS) wishes.tags.push(tag.trim());
      }
      return [];
    },
  };
}

function readCampaign(value: string, wishes: VendorWishes): readonly string[] {
  if (!isCampaignId(value)) return [mustBe(`at most ${MAX_CAMPAIGN_ID_LENGTH} bytes`)];
  wishes.campaignId = value;
  return [];
}

/** A list of what is tracked: clicks that it does not name are not. */
function readXMcTrack(value: string, wishes: VendorWishes): readonly string[] {
  const clicks: Words = {
    clicks: BOTH,
    clicks_all: BOTH,
    clicks_htmlonly: HTML,
    clicks_textonly: TEXT,
  };
  wishes.clickTracking = false;
  for (const word of value.toLowerCase().split(',', MAX_WORDS)) {
    const kind = word.trim();
    if (Object.hasOwn(clicks, kind)) Object.assign(wishes, clicks[kind]);
    else if (kind !== '') wishes.notDone.push(`X-MC-Track ${kind}`);
  }
  return [];
}

/**
 * JSON with the settings of filters, categories, and much that is not done. A value that cannot be
 * read may have said no.
 */
function readXSmtpapi(value: string, wishes: VendorWishes): readonly string[] {
  const fields = jsonObject(value);
  if (fields === undefined) {
    wishes.clickTracking = false;
    return [mustBe('a JSON object; the message is not tracked')];
  }
  const ignored: string[] = [];
  const objectIn = (parent: Fields, path: string): Fields => {
    const member = parent[path.slice(path.lastIndexOf('.') + 1)] ?? {};
    if (isRecord(member)) return member;
    ignored.push(`${path} ${mustBe('a JSON object')}`);
    return {};
  };
  const { category } = fields;
  const categories = Array.isArray(category) ? category : [category ?? ''];
  for (const tag of categories.slice(0, MAX_WORDS)) {
    if (typeof tag !== 'string') ignored.push(`category ${mustBe('strings')}`);
    else if (tag !== '') wishes.tags.push(tag);
  }
  const filters = objectIn(fields, 'filters');
  wishes.notDone.push(
    ...namesIn(fields, ['category', 'filters']).map((name) => `X-SMTPAPI ${name}`),
    ...namesIn(filters, ['clicktrack']).map((name) => `X-SMTPAPI filters.${name}`),
  );
  const clicktrack = objectIn(filters, 'filters.clicktrack');
  const settings = objectIn(clicktrack, 'filters.clicktrack.settings');
  const [enable, text] = ['enable', 'enable_text'].map((name) => {
    const value = settings[name] ?? undefined;
    const setting = booleanOf(value);
    if (setting === undefined && value !== undefined) {
      ignored.push(`filters.clicktrack.settings.${name} ${mustBe('1 or 0')}`);
    }
    return setting;
  });
  if (enable !== undefined) wishes.clickTracking = enable;
  if (text !== undefined) wishes.clickTrackingParts = text ? 'both' : 'html';
  return ignored;
}

type Fields = Readonly<Record<string, unknown>>;

function mustBe(right: string): string {
  return `ignored: it must be ${right}`;
}

function namesIn(fields: Fields, done: readonly string[]): readonly string[] {
  const names = Object.keys(fields).filter((name) => !done.includes(name));
  return names.slice(0, MAX_WORDS);
}

function jsonObject(text: string): Fields | undefined {
  const value = parseJson(text);
  return isRecord(value) ? value : undefined;
}

/** Libraries write 1, "1" and true. */
function booleanOf(value: unknown): boolean | undefined {
  if (value === 1 || value === '1' || value === true || value === 'true') return true;
  if (value === 0 || value === '0' || value === false || value === 'false') return false;
  return undefined;
}
