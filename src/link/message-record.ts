import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { MessageFacts, TrackedLink } from './message-facts.ts';
import type { SharedLines } from './shared-lines.ts';
import { LinkChecks } from './stored-token.ts';

/**
 * One message as it is stored: a byte with the version of the format, and in format 2 nine bytes with the id of lines
 * that it shares with other messages; then, deflated (RFC 1951) against a preset dictionary, which in format 2 begins
 * with the shared lines, lines that end in LF:
 *
 *     JSON of the facts, under the short names of `Head`
 *     one line a link: `h` or `t` for its part, the target, and where it has one, a tab and its name in JSON
 *
 * Lines, because a click needs one link of a message: finding a line is cheaper than parsing all. Deflate, because
 * the targets of one message share most of their characters: about 12 bytes a link, and next to none for a shared one.
 */
export interface MessageRecord {
  readonly message: MessageFacts;
  /** What the checks in the tokens are derived from. */
  readonly secret: string;
  readonly links: readonly TrackedLink[];
}

/** Everything but the links; absent facts stay absent. */
interface Head {
  /** secret */
  readonly x: string;
  /** injectionTime */
  readonly i: number;
  /** seconds from injection to expiry */
  readonly e: number;
  /** domain */
  readonly d: string;
  /** recipients; a single one as a string */
  readonly r: string | readonly string[];
  /** sender */
  readonly s?: string | undefined;
  /** queueId */
  readonly q?: string | undefined;
  /** friendlyFrom */
  readonly f?: string | undefined;
  /** subject */
  readonly j?: string | undefined;
  /** size */
  readonly z?: number | undefined;
  /** campaignId */
  readonly c?: string | undefined;
  /** metadata */
  readonly m?: Readonly<Record<string, unknown>> | undefined;
  /** tags */
  readonly g?: readonly string[] | undefined;
  /** pathway */
  readonly p?: string | undefined;
  /** number of links */
  readonly l: number;
}

const PLAIN = 1;
const SHARED = 2;
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
/**
 * The lines of a record that stand for its links.
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function linkLines(links: readonly TrackedLink[]): string[] {
  return links.map(({ part, target, name }) => {
    if (/[\t\r\n]/.test(target)) throw new RangeError('a target holds no tab and no line break');
    const line = `${part === 'html' ? 'h' : 't'}${target}`;
    return name === undefined ? line : `${line}\t${JSON.stringify(name)}`;
  });
}

/**
 * @param lines of its links
 * @param shared what some of the lines are deflated against
 */
export function encodeRecord(
  { message, secret, links }: MessageRecord,
  lines: readonly string[] = linkLines(links),
  shared?: SharedLines,
): Buffer {
  const head: Head = {
    x: secret,
    i: message.injectionTime,
    e: message.expires - message.injectionTime,
    d: message.domain,
    r: (message.recipients.length === 1 && message.recipients[0]) || message.recipients,
    s: message.sender,
    q: message.queueId,
    f: message.friendlyFrom,
    j: message.subject,
    z: message.size,
    c: message.campaignId,
    m: message.metadata,
    g: message.tags,
    p: message.pathway,
    l: links.length,
  };
  const text = [JSON.stringify(head), ...lines, ''].join('\n');
  const dictionary = dictionaryWith(shared);
  const packed = deflateRawSync(text, { level: constants.Z_BEST_SPEED, dictionary });
  const start = shared === undefined ? [Buffer.of(PLAIN)] : [Buffer.of(SHARED), shared.id];
  return Buffer.concat([...start, packed]);
}

/** The id of the lines that a record shares with others: without them it cannot be opened. */
export function sharedIdOf(value: Buffer): Buffer | undefined {
  return value[0] === SHARED ? value.subarray(1, SHARED_ID_END) : undefined;
}

/** A record that was read. Links are looked up in its text: a click needs one of them. */
export class OpenRecord {
  readonly message: MessageFacts;
  readonly secret: string;
  readonly checks: LinkChecks;
  readonly linkCount: number;
  readonly #text: string;

  /**
   * @param shared what `sharedIdOf` asks for
   * @throws Error for a value that is no record, or one of a format this release does not know
   */
  constructor(value: Buffer, messageId: string, shared?: SharedLines) {
    this.#text = inflate(value, shared);
    const head = JSON.parse(this.#text.slice(0, this.#text.indexOf('\n'))) as Head;
    this.message = factsOf(head, messageId);
    this.secret = head.x;
    this.checks = new LinkChecks(head.x);
    this.linkCount = head.l;
  }

  /** Characters it takes in memory, roughly. */
  get length(): number {
    return this.#text.length;
  }

  /** @returns undefined where the message has no such link */
  link(index: number): TrackedLink | undefined {
    if (index >= this.linkCount) return undefined;
    let start = this.#text.indexOf('\n') + 1;
    for (let skipped = 0; skipped < index; skipped++) start = this.#text.indexOf('\n', start) + 1;
    return parseLine(this.#text.slice(start, this.#text.indexOf('\n', start)));
  }

  /** All of it, as it was encoded. */
  contents(): MessageRecord {
    const lines = this.#text.split('\n').slice(1, 1 + this.linkCount);
    return { message: this.message, secret: this.secret, links: lines.map(parseLine) };
  }
}

function parseLine(line: string): TrackedLink {
  const [start = '', name] = line.split('\t');
  return {
    target: start.slice(1),
    part: start.startsWith('h') ? 'html' : 'text',
    ...(name !== undefined && { name: JSON.parse(name) as string }),
  };
}

function inflate(value: Buffer, shared: SharedLines | undefined): string {
  const sharedId = sharedIdOf(value);
  if (value[0] !== PLAIN && sharedId === undefined) {
    throw new Error(
      `message record of format ${value[0] ?? 'none'}, this release reads formats ${PLAIN} and ${SHARED}`,
    );
  }
  if (sharedId !== undefined && !shared?.id.equals(sharedId)) {
    throw new Error('the links that it shares with other messages are missing');
  }
  const dictionary = dictionaryWith(sharedId && shared);
  const packed = value.subarray(sharedId === undefined ? 1 : SHARED_ID_END);
  return inflateRawSync(packed, { dictionary, maxOutputLength: MAX_INFLATED }).toString();
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

function factsOf(head: Head, messageId: string): MessageFacts {
  return {
    messageId,
    injectionTime: head.i,
    expires: head.i + head.e,
    domain: head.d,
    recipients: typeof head.r === 'string' ? [head.r] : head.r,
    ...(head.s !== undefined && { sender: head.s }),
    ...(head.q !== undefined && { queueId: head.q }),
    ...(head.f !== undefined && { friendlyFrom: head.f }),
    ...(head.j !== undefined && { subject: head.j }),
    ...(head.z !== undefined && { size: head.z }),
    ...(head.c !== undefined && { campaignId: head.c }),
    ...(head.m !== undefined && { metadata: head.m }),
    ...(head.g !== undefined && { tags: head.g }),
    ...(head.p !== undefined && { pathway: head.p }),
  };
}
