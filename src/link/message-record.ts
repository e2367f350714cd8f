import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { MessageFacts, TrackedLink } from './message-facts.ts';

/**
 * One message as it is stored: a byte with the version of the format (1), then, deflated (RFC 1951) against a
 * preset dictionary, lines that end in LF:
 *
 *     JSON of the facts, under the short names of `Head`
 *     one line a link: `h` or `t` for its part, then the target
 *
 * Lines, because a click needs one link of a message: finding a line is cheaper than parsing all. Deflate, because
 * the targets of one message share most of their characters: about 12 bytes a link.
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
  /** names of links, by index */
  readonly n?: Readonly<Record<number, string>> | undefined;
}

const VERSION = 1;
/** Far above any real message; keeps a damaged record from filling the memory. */
const MAX_INFLATED = 64 * 1024 * 1024;

/**
 * Part of format 1: never to be changed, or records already written could not be read. What is most likely to be
 * needed stands at the end.
 */
const DICTIONARY = Buffer.from(
  '","p":"","c":"","g":["","m":{"","n":{"' +
    '.pdf.jpg.php?id=&ref=&source=&user=&token=http://mail.org/.net/.co.uk/.de/' +
    '/products//category//news//blog//article//account//shop/unsubscribe?/en/index.html' +
    '&utm_term=&utm_id=&utm_content=&utm_source=newsletter&utm_medium=email&utm_campaign=' +
    '.com/\nthttps://\nhhttps://www.' +
    '"}\nhhttps://www.{"x":"","i":17","e":31536000,"d":"click.mail.example.com","r":"@gmail.com","s":"bounce@",' +
    '"q":"","f":"","j":"","z":',
  'latin1',
);
const DEFLATE = { level: constants.Z_BEST_SPEED, dictionary: DICTIONARY };
const INFLATE = { dictionary: DICTIONARY, maxOutputLength: MAX_INFLATED };

/** @throws RangeError for a target with a line break, which no target of a tracked link has */
export function encodeRecord(record: MessageRecord): Buffer {
  const { message, secret, links } = record;
  const names: Record<number, string> = {};
  let named = false;
  let lines = '';
  links.forEach((link, index) => {
    if (/[\r\n]/.test(link.target)) throw new RangeError('a target must not hold a line break');
    lines += `${link.part === 'html' ? 'h' : 't'}${link.target}\n`;
    if (link.name !== undefined) {
      names[index] = link.name;
      named = true;
    }
  });
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
    n: named ? names : undefined,
  };
  const packed = deflateRawSync(`${JSON.stringify(head)}\n${lines}`, DEFLATE);
  const value = Buffer.allocUnsafe(packed.length + 1);
  value[0] = VERSION;
  packed.copy(value, 1);
  return value;
}

/** A record that was read. Links are looked up in its text: a click needs one of them. */
export class OpenRecord {
  readonly message: MessageFacts;
  readonly secret: string;
  readonly linkCount: number;
  readonly #names: Readonly<Record<number, string>>;
  readonly #text: string;

  /** @throws Error for a value that is no record, or one of a format this release does not know */
  constructor(value: Buffer, messageId: string) {
    this.#text = inflate(value);
    const head = JSON.parse(this.#text.slice(0, this.#text.indexOf('\n'))) as Head;
    this.message = factsOf(head, messageId);
    this.secret = head.x;
    this.linkCount = head.l;
    this.#names = head.n ?? {};
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
    return this.#read(this.#text.slice(start, this.#text.indexOf('\n', start)), index);
  }

  /** All of it, as it was encoded. */
  contents(): MessageRecord {
    const lines = this.#text.split('\n').slice(1, 1 + this.linkCount);
    const links = lines.map((line, index) => this.#read(line, index));
    return { message: this.message, secret: this.secret, links };
  }

  #read(line: string, index: number): TrackedLink {
    const name = this.#names[index];
    return {
      target: line.slice(1),
      part: line.startsWith('h') ? 'html' : 'text',
      ...(name !== undefined && { name }),
    };
  }
}

function inflate(value: Buffer): string {
  if (value[0] !== VERSION) {
    throw new Error(
      `message record of format ${value[0] ?? 'none'}, this release reads format ${VERSION}`,
    );
  }
  return inflateRawSync(value.subarray(1), INFLATE).toString();
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
