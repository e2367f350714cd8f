import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { type CommonFacts, type Edition, editionOf, sameFact } from './edition.ts';
import { applyChanges, changesFrom } from './edition-changes.ts';
import { linkLines, parseLinkLine } from './link-line.ts';
import type { MessageFacts, TrackedLink } from './message-facts.ts';
import type { SharedLines } from './shared-lines.ts';
import { LinkChecks } from './stored-token.ts';

/**
 * One message as it is stored: a byte with the version of the format, then, in format 1 deflated (RFC 1951) against a
 * preset dictionary, lines that end in LF:
 *
 *     JSON of the facts, under the short names of `Head`
 *     one line a link: see `linkLine`
 *
 * Lines, because a click needs one link of a message: finding a line is cheaper than parsing all. Deflate, because
 * the targets of one message share most of their characters: some 23 bytes a link.
 *
 * Format 2 has, before what is deflated, nine bytes with the id of lines that it shares with other messages, and those
 * lines before the dictionary. It is read, and no longer written.
 *
 * Format 3 is that of a copy of a newsletter: the nine bytes name the shared lines of its edition, and what follows is
 * not deflated, since it holds only what is the copy's own, in lines with an LF between them:
 *
 *     JSON of the facts, without those that are the edition's, and null for one that the edition has and the copy not
 *     changes to the edition's links: see `changesFrom`
 */
export interface MessageRecord {
  readonly message: MessageFacts;
  /** What the checks in the tokens are derived from. */
  readonly secret: string;
  readonly links: readonly TrackedLink[];
}

/** Everything but the links; absent facts stay absent. */
interface Head extends Nullable<CommonFacts> {
  /** secret */
  readonly x: string;
  /** injectionTime */
  readonly i: number;
  /** seconds from injection to expiry */
  readonly e: number;
  /** recipients; a single one as a string */
  readonly r: string | readonly string[];
  /** queueId */
  readonly q?: string | undefined;
  /** size */
  readonly z?: number | undefined;
  /** metadata */
  readonly m?: Readonly<Record<string, unknown>> | undefined;
  /** number of links; absent in format 3 */
  readonly l?: number | undefined;
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

const PLAIN = 1;
const SHARED = 2;
const COPY = 3;
const SHARED_ID_END = 10;
/** Far above any real message; keeps a damaged record from filling the memory. */
const MAX_INFLATED = 64 * 1024 * 1024;

/**
 * Part of formats 1 and 2: never to be changed, or records already written could not be read. What is most likely to be
 * needed stands at the end.
 */
const DICTIONARY = Buffer.from(
  '","p":"","c":"","g":["","m":{"","l":' +
    '.pdf.jpg.php?id=&ref=&source=&user=&token=http://mail.org/.net/.co.uk/.de/' +
    '/products//category//news//blog//article//account//shop/unsubscribe?/en/index.html' +
    '&utm_term=&utm_id=&utm_content=&utm_source=newsletter&utm_medium=email&utm_campaign=' +
    '.com/\nthttps://\nhhttps://www.' +
    '"}\nhhttps://www.{"x":"","i":17","e":31536000,"d":"click.mail.example.com","r":"@gmail.com","s":"bounce@",' +
    '"q":"","f":"","j":"","z":',
  'latin1',
);
/** For texts of some KB: zlib clears its tables for each, and its usual ones of 250 KB take longer than the text. */
const DEFLATE = {
  dictionary: DICTIONARY,
  level: constants.Z_BEST_SPEED,
  windowBits: 14,
  memLevel: 5,
  chunkSize: 4096,
};

/**
 * @param lines of its links
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function encodeRecord(record: MessageRecord, lines = linkLines(record.links)): Buffer {
  const text = `${headOf(record, {}, record.links.length)}\n${lines}`;
  return Buffer.concat([Buffer.of(PLAIN), deflateRawSync(text, DEFLATE)]);
}

/**
 * As a copy of this edition.
 * @returns undefined where it has too little in common with it
 * @throws RangeError as `encodeRecord`
 */
export function encodeCopy(record: MessageRecord, edition: Edition): Buffer | undefined {
  const changes = changesFrom(edition, record.links);
  if (changes === undefined) return undefined;
  let text = headOf(record, edition.facts);
  for (const change of changes) text += `\n${change}`;
  const value = Buffer.allocUnsafe(SHARED_ID_END + Buffer.byteLength(text));
  value[0] = COPY;
  edition.shared.id.copy(value, 1);
  value.write(text, SHARED_ID_END);
  return value;
}

/** JSON of a head without the facts that others have as well, and with null for those that only they have. */
function headOf({ message, secret }: MessageRecord, others: CommonFacts, links?: number): string {
  const own = <Fact extends CommonFacts[keyof CommonFacts]>(fact: Fact, theirs: Fact) =>
    sameFact(fact, theirs) ? undefined : (fact ?? null);
  // In one piece: of objects that are put together JSON takes ten times as long.
  const head: Head = {
    x: secret,
    i: message.injectionTime,
    e: message.expires - message.injectionTime,
    d: own(message.domain, others.d),
    r: (message.recipients.length === 1 && message.recipients[0]) || message.recipients,
    s: own(message.sender, others.s),
    q: message.queueId,
    f: own(message.friendlyFrom, others.f),
    j: own(message.subject, others.j),
    z: message.size,
    c: own(message.campaignId, others.c),
    m: message.metadata,
    g: own(message.tags, others.g),
    p: own(message.pathway, others.p),
    l: links,
  };
  return JSON.stringify(head);
}

/** The id of the lines that a record shares with others: without them it cannot be opened. */
export function sharedIdOf(value: Buffer): Buffer | undefined {
  const format = value[0];
  return format === SHARED || format === COPY ? value.subarray(1, SHARED_ID_END) : undefined;
}

/**
 * The recipients of a copy, which can be told without its edition.
 * @returns undefined for a record of another format
 * @throws Error for one that is damaged
 */
export function recipientsOfCopy(value: Buffer): readonly string[] | undefined {
  if (value[0] !== COPY) return undefined;
  const [head = ''] = value.toString('utf8', SHARED_ID_END).split('\n', 1);
  return recipientsOf(JSON.parse(head) as Head);
}

/** A record that was read. Links are looked up in its text: a click needs one of them. */
export class OpenRecord {
  readonly message: MessageFacts;
  readonly secret: string;
  readonly checks: LinkChecks;
  readonly linkCount: number;
  /** Characters it takes in memory, roughly. */
  readonly length: number;
  /** Lines of links; or the links, where they had to be put together. */
  readonly #links: string | readonly TrackedLink[];

  /**
   * @param shared what `sharedIdOf` asks for
   * @throws Error for a value that is no record, or one of a format this release does not know
   */
  constructor(value: Buffer, messageId: string, shared?: SharedLines) {
    const [text, edition] = textOf(value, shared);
    const end = text.indexOf('\n');
    let head = JSON.parse(end === -1 ? text : text.slice(0, end)) as Head;
    const rest = end === -1 ? '' : text.slice(end + 1);
    if (edition === undefined) {
      this.#links = rest;
    } else {
      head = { ...edition.facts, ...head };
      this.#links = applyChanges(edition, end === -1 ? [] : rest.split('\n'));
    }
    this.message = factsOf(head, messageId);
    this.secret = head.x;
    this.checks = new LinkChecks(head.x);
    this.linkCount = head.l ?? this.#links.length;
    this.length = text.length + (edition === undefined ? 0 : 50 * this.linkCount);
  }

  /** @returns undefined where the message has no such link */
  link(index: number): TrackedLink | undefined {
    if (index >= this.linkCount) return undefined;
    if (typeof this.#links !== 'string') return this.#links[index];
    let start = 0;
    for (let skipped = 0; skipped < index; skipped++) start = this.#links.indexOf('\n', start) + 1;
    return parseLinkLine(this.#links.slice(start, this.#links.indexOf('\n', start)));
  }

  /** All of it, as it was encoded. */
  contents(): MessageRecord {
    const links =
      typeof this.#links === 'string'
        ? this.#links.split('\n').slice(0, this.linkCount).map(parseLinkLine)
        : this.#links;
    return { message: this.message, secret: this.secret, links };
  }
}

function textOf(value: Buffer, shared: SharedLines | undefined): [text: string, edition?: Edition] {
  const format = value[0];
  const sharedId = sharedIdOf(value);
  if (format !== PLAIN && sharedId === undefined) {
    throw new Error(
      `message record of format ${format ?? 'none'}, this release reads formats ${PLAIN} to ${COPY}`,
    );
  }
  if (sharedId !== undefined && !shared?.id.equals(sharedId)) {
    throw new Error('the links that it shares with other messages are missing');
  }
  const packed = value.subarray(sharedId === undefined ? 1 : SHARED_ID_END);
  if (format === COPY && shared !== undefined) return [packed.toString(), editionOf(shared)];
  const dictionary = dictionaryWith(sharedId && shared);
  return [inflateRawSync(packed, { dictionary, maxOutputLength: MAX_INFLATED }).toString()];
}

const dictionaries = new WeakMap<SharedLines, Buffer>();

function dictionaryWith(shared: SharedLines | undefined): Buffer {
  if (shared === undefined) return DICTIONARY;
  let dictionary = dictionaries.get(shared);
  if (dictionary === undefined) {
    dictionary = Buffer.concat([shared.text, DICTIONARY]);
    dictionaries.set(shared, dictionary);
  }
  return dictionary;
}

function recipientsOf({ r }: Head): readonly string[] {
  return typeof r === 'string' ? [r] : r;
}

function factsOf(head: Head, messageId: string): MessageFacts {
  return {
    messageId,
    injectionTime: head.i,
    expires: head.i + head.e,
    domain: head.d ?? '',
    recipients: recipientsOf(head),
    ...(head.s != null && { sender: head.s }),
    ...(head.q !== undefined && { queueId: head.q }),
    ...(head.f != null && { friendlyFrom: head.f }),
    ...(head.j != null && { subject: head.j }),
    ...(head.z !== undefined && { size: head.z }),
    ...(head.c != null && { campaignId: head.c }),
    ...(head.m !== undefined && { metadata: head.m }),
    ...(head.g != null && { tags: head.g }),
    ...(head.p != null && { pathway: head.p }),
  };
}
