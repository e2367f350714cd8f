import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { MessageFacts, TrackedLink } from './facts.ts';
import { linkLines, parseLinkLine } from './link-line.ts';
import { factsOf, headOf, parseHead, recipientsOf } from './record-head.ts';
import type { SharedLines } from './shared-lines.ts';
import { LinkChecks } from './stored-token.ts';
import { type Edition, editionOf } from './template.ts';
import { applyChanges, changesFrom } from './template-changes.ts';

/**
 * One message as it is stored: a byte with the version of the format, then, in format 1 deflated (RFC 1951) against a
 * preset dictionary, lines that end in LF:
 *
 *     JSON of the facts, see `Head`
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

/** Characters of the longest target that is stored. */
export const MAX_TARGET = 8192;
/** Characters of all links of a record that is written, far within `MAX_INFLATED`: a click has to open all of it. */
export const MAX_LINKS_LENGTH = 4 * 1024 * 1024;

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
  const text = `${headOf(record.message, record.secret, {}, record.links.length)}\n${lines}`;
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
  let text = headOf(record.message, record.secret, edition.facts);
  for (const change of changes) text += `\n${change}`;
  const value = Buffer.allocUnsafe(SHARED_ID_END + Buffer.byteLength(text));
  value[0] = COPY;
  edition.shared.id.copy(value, 1);
  value.write(text, SHARED_ID_END);
  return value;
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
  return recipientsOf(parseHead(head));
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
    let head = parseHead(end === -1 ? text : text.slice(0, end));
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
    if (edition === undefined && head.l === undefined) throw new Error('no number of links');
    this.linkCount = head.l ?? this.#links.length;
    this.length = text.length + (edition === undefined ? 0 : 50 * this.linkCount);
  }

  /**
   * @returns undefined where the message has no such link
   * @throws Error where its line is missing or damaged
   */
  link(index: number): TrackedLink | undefined {
    if (index >= this.linkCount) return undefined;
    if (typeof this.#links !== 'string') return this.#links[index];
    let start = 0;
    for (let at = 0; ; at++) {
      const end = this.#links.indexOf('\n', start);
      if (end === -1) throw new Error('fewer links than its head says');
      if (at === index) return parseLinkLine(this.#links.slice(start, end));
      start = end + 1;
    }
  }

  /**
   * All of it, as it was encoded.
   * @throws Error where a line is missing or damaged
   */
  contents(): MessageRecord {
    const links =
      typeof this.#links === 'string'
        ? this.#links.split('\n').slice(0, -1).map(parseLinkLine)
        : this.#links;
    if (links.length !== this.linkCount)
      throw new Error('another number of links than its head says');
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
