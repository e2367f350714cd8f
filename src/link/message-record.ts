import { inflateRawSync } from 'node:zlib';
import { linkLines, parseLinkLine } from './link-line.ts';
import type { MessageFacts, TrackedLink } from './message-facts.ts';
import { packLines, unpackLines } from './packed-lines.ts';
import { factsOf, headOf, parseHead, recipientsOf } from './record-head.ts';
import { LinkChecks } from './stored-token.ts';
import type { Template } from './template.ts';
import { applyChanges, changesFrom } from './template-changes.ts';

/**
 * One message as it is stored: a byte with the version of the format, and its facts and links.
 *
 * Format 4 holds lines that end in LF:
 *
 *     JSON of the facts, see `Head`
 *     one line per link, see `packLines`
 *
 * Format 1 is read and no longer written. It is deflated (RFC 1951) against a preset dictionary,
 * and its links are as `linkLines` writes them. A link took half as many bytes as in format 4, but
 * a stream of zlib for each message cost as much as finding the links.
 *
 * Format 3 is that of an instance of a newsletter. Nine bytes hold the id of its template. The rest
 * is not deflated, because it holds only the part that differs from the template, in lines with an
 * LF between them:
 *
 *     JSON of the facts, without those of the template, and null for a fact that only the
 *         template has
 *     changes to the links of the template, see `changesFrom`
 */
export interface MessageRecord {
  readonly message: MessageFacts;
  /** The checks in the tokens are derived from it. */
  readonly secret: string;
  readonly links: readonly TrackedLink[];
}

/** Characters of the links of a record, far within `MAX_LENGTH`: a click has to read all of it. */
export const MAX_LINKS_LENGTH = 4 * 1024 * 1024;

const DEFLATED = 1;
const INSTANCE = 3;
const PACKED = 4;
const TEMPLATE_ID_END = 10;
/** Far above any real message: a damaged record must not fill the memory. */
const MAX_LENGTH = 64 * 1024 * 1024;
const MAX_LINKS = 500_000;

/**
 * Part of format 1: records already written could not be read with another one. The most frequent
 * texts are at the end.
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
/**
 * Encodes a record without a template.
 * @param lines of its links
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function encodeRecord(
  { message, secret, links }: MessageRecord,
  lines = linkLines(links),
): Buffer {
  const head = `${headOf(message, secret, {}, links.length)}\n`;
  const packed = packLines(lines);
  const linesStart = 1 + Buffer.byteLength(head);
  const value = Buffer.allocUnsafe(linesStart + packed.length);
  value[0] = PACKED;
  value.write(head, 1);
  value.set(packed, linesStart);
  return value;
}

/**
 * Encodes a record as an instance of a template.
 * @returns undefined where the two share too little
 * @throws RangeError as `encodeRecord`
 */
export function encodeInstance(record: MessageRecord, template: Template): Buffer | undefined {
  const changes = changesFrom(template, record.links);
  if (changes === undefined) return undefined;
  let text = headOf(record.message, record.secret, template.facts);
  for (const change of changes) text += `\n${change}`;
  const value = Buffer.allocUnsafe(TEMPLATE_ID_END + Buffer.byteLength(text));
  value[0] = INSTANCE;
  template.id.copy(value, 1);
  value.write(text, TEMPLATE_ID_END);
  return value;
}

/**
 * The id of the template without which a record cannot be opened; undefined for a record that needs
 * none.
 */
export function templateIdOf(value: Buffer): Buffer | undefined {
  return value[0] === INSTANCE ? value.subarray(1, TEMPLATE_ID_END) : undefined;
}

/**
 * Reads the recipients of an instance, which needs no template.
 * @returns undefined for a record of another format
 * @throws Error for a damaged record
 */
export function recipientsOfInstance(value: Buffer): readonly string[] | undefined {
  if (value[0] !== INSTANCE) return undefined;
  const [head = ''] = value.toString('utf8', TEMPLATE_ID_END).split('\n', 1);
  return recipientsOf(parseHead(head));
}

/**
 * A record that was read. Links are looked up in its text, because a click needs only one of them.
 */
export class OpenRecord {
  readonly message: MessageFacts;
  readonly secret: string;
  readonly checks: LinkChecks;
  readonly linkCount: number;
  /** Characters that it takes in memory, roughly. */
  readonly length: number;
  /** The lines of the links; for an instance, the links. */
  readonly #links: string | readonly TrackedLink[];

  /**
   * @param template with the id of `templateIdOf`
   * @throws Error for a value that is not a record, or has a format that this release does not know
   */
  constructor(value: Buffer, messageId: string, template?: Template) {
    const text = textOf(value, template);
    const isInstance = value[0] === INSTANCE && template !== undefined;
    const end = text.indexOf('\n');
    let head = parseHead(end === -1 ? text : text.slice(0, end));
    const rest = end === -1 ? '' : text.slice(end + 1);
    if (isInstance) {
      head = { ...template.facts, ...head };
      this.#links = applyChanges(template, end === -1 ? [] : rest.split('\n'), MAX_LENGTH);
    } else {
      this.#links = rest;
    }
    this.message = factsOf(head, messageId);
    this.secret = head.x;
    this.checks = new LinkChecks(head.x);
    if (!isInstance && head.l === undefined) throw new Error('no number of links');
    this.linkCount = head.l ?? this.#links.length;
    if (this.linkCount > MAX_LINKS) throw new Error('more links than a message can have');
    this.length = text.length + (isInstance ? 50 * this.linkCount : 0);
  }

  /**
   * Looks a link up.
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
   * Reads the whole record, as it was encoded.
   * @throws Error where a line is missing or damaged
   */
  contents(): MessageRecord {
    const links =
      typeof this.#links === 'string'
        ? // One more than there should be: others would only fill the memory.
          this.#links
            .split('\n', this.linkCount + 2)
            .slice(0, -1)
            .map(parseLinkLine)
        : this.#links;
    if (links.length !== this.linkCount)
      throw new Error('another number of links than its head says');
    return { message: this.message, secret: this.secret, links };
  }
}

function textOf(value: Buffer, template: Template | undefined): string {
  const format = value[0];
  if (format === INSTANCE) {
    if (!template?.id.equals(value.subarray(1, TEMPLATE_ID_END))) {
      throw new Error('its template is missing');
    }
    return value.toString('utf8', TEMPLATE_ID_END);
  }
  if (format === PACKED) {
    const text = value.toString('utf8', 1);
    const head = text.slice(0, text.indexOf('\n') + 1);
    return head + unpackLines(text.slice(head.length), { lines: MAX_LINKS, length: MAX_LENGTH });
  }
  if (format !== DEFLATED) {
    throw new Error(
      `message record of format ${format ?? 'none'}, this release reads formats ${DEFLATED}, ${INSTANCE} and ${PACKED}`,
    );
  }
  const inflated = inflateRawSync(value.subarray(1), {
    dictionary: DICTIONARY,
    maxOutputLength: MAX_LENGTH,
  });
  return inflated.toString();
}
