import { base128, readBase128 } from '../lib/base128.ts';
import { DAY_SECONDS } from '../lib/days.ts';
import { isPrintableAscii } from '../lib/text.ts';
import { getOrMake } from '../lib/values.ts';
import { type Fact, type FactTable, factsIn, jsonOf, object } from './fact.ts';
import { LINK_FACTS, MESSAGE_FACTS, type MessageFacts, type TrackedLink } from './message-facts.ts';
import { expandUrl, shortenUrl } from './url-shorthand.ts';

/**
 * The contents of a sealed token, before they are encrypted:
 *
 *     1  flags, below
 *     3  second of the day of the injection in the lower 17 bits; above them the position of the link
 *        plus 1, or 0 where it is not known or does not fit
 *     1+ lifetime, base 128, in seconds or (Flag.days) days
 *     4  digest of the tracking domain, in form 2 of the token only
 *     …  campaign, link name, recipient (a length byte and UTF-8 each), number of recipients
 *        (base 128), further facts (a length byte and JSON): those that the flags name
 *     …  target, to the end: in the shorthand of URLs, else (Flag.plain) in UTF-8
 *
 * Campaign, name and recipient are always in it; further facts only while the token stays short,
 * unless they have a rank below 1 in the fact table.
 */
export interface SealedContents {
  readonly link: TrackedLink;
  readonly secondOfDay: number;
  /** The place of the link among those of its message, from 0 on; absent where unknown. */
  readonly position?: number;
  readonly lifetime: number;
  /** Absent but in form 2. */
  readonly hostDigest?: string;
  readonly facts: SealedFacts;
}

/** The facts of its message that a sealed link holds beside id, times and domain. */
type SealedFacts = Omit<MessageFacts, 'messageId' | 'injectionTime' | 'expires' | 'domain'>;

const Flag = {
  html: 1,
  days: 2,
  campaign: 4,
  name: 8,
  recipient: 16,
  recipientCount: 32,
  further: 64,
  plain: 128,
} as const;

/** Bits of a second of the day. */
const SECOND_BITS = 17;
/** The last position that fits into the bits above. */
const MAX_POSITION = 2 ** (24 - SECOND_BITS) - 2;
/** Of the whole token, up to which further facts are added: 220 characters. */
const SHORT_TOKEN_BYTES = 164;
const MAX_STRING_BYTES = 255;
const NOTHING = Buffer.alloc(0);

/** Facts that a token holds as far as there is room, the most useful in a click event first. */
const FURTHER = furtherIn(MESSAGE_FACTS).sort((a, b) => a.sealed - b.sealed);
/** The facts of the link, which are always there. */
const FURTHER_OF_LINK = furtherIn(LINK_FACTS);

function furtherIn<Table extends FactTable>(table: Table) {
  return factsIn(table).flatMap(({ key, sealed, ...fact }) =>
    key !== undefined && typeof sealed === 'number' ? { ...fact, key, sealed } : [],
  );
}

/** Packs the links of one message; what they have in common is prepared once. */
export class ContentsPacker {
  readonly #flags: number;
  /** The bytes before and behind the name of the link. */
  readonly #before: Buffer;
  readonly #behind: Buffer;
  readonly #further: readonly Member[];
  /** What was made of them, by which there is room for: a bit each. */
  readonly #furtherOf = new Map<number, Buffer>();
  readonly #unnamedWith = new Map<Buffer, Buffer>();

  constructor(message: MessageFacts) {
    const { recipients, injectionTime, expires } = message;
    const count = message.recipientCount ?? recipients.length;
    const campaign = shortString(message.campaignId);
    const recipient = count === 1 ? shortString(recipients[0]) : undefined;
    const recipientCount = recipient === undefined && count > 0 ? base128(count) : undefined;
    const needsPathway = message.appendQuery?.includes('{pathway}');
    this.#further = membersOf(FURTHER, message, needsPathway ? 'pathway' : undefined);

    const lifetime = Math.min(Math.max(expires - injectionTime, 0), 2 ** 32 - 1);
    const inDays = lifetime % DAY_SECONDS === 0;
    const second = Buffer.alloc(3);
    second.writeUIntBE(injectionTime % DAY_SECONDS, 0, 3);
    this.#before = Buffer.concat([
      second,
      base128(inDays ? lifetime / DAY_SECONDS : lifetime),
      campaign ?? NOTHING,
    ]);
    this.#behind = recipient ?? recipientCount ?? NOTHING;
    this.#flags =
      (inDays ? Flag.days : 0) |
      (campaign ? Flag.campaign : 0) |
      (recipient ? Flag.recipient : 0) |
      (recipientCount ? Flag.recipientCount : 0);
  }

  /**
   * @param overhead bytes of the token beside these contents
   * @param position of the link, if it is known
   */
  pack(link: TrackedLink, overhead: number, position?: number): Buffer {
    const plain = !isPrintableAscii(link.target);
    const target = plain ? Buffer.from(link.target) : shortenUrl(link.target);
    const name = shortString(link.name) ?? NOTHING;
    const length = 1 + this.#before.length + name.length + this.#behind.length + target.length;
    const ofLink = membersOf(FURTHER_OF_LINK, link);
    const further = this.#furtherWithin(SHORT_TOKEN_BYTES - overhead - length, ofLink);
    const packed = Buffer.allocUnsafe(length + further.length);
    packed[0] =
      this.#flags |
      (link.part === 'html' ? Flag.html : 0) |
      (name.length > 0 ? Flag.name : 0) |
      (further.length > 0 ? Flag.further : 0) |
      (plain ? Flag.plain : 0);
    if (name.length === 0) {
      packed.set(this.#unnamed(further), 1);
    } else {
      packed.set(this.#before, 1);
      packed.set(name, 1 + this.#before.length);
      packed.set(this.#behind, 1 + this.#before.length + name.length);
      packed.set(further, length - target.length);
    }
    packed.set(target, packed.length - target.length);
    if (position !== undefined && position <= MAX_POSITION) {
      packed[1] = (packed[1] as number) | ((position + 1) << (SECOND_BITS - 16));
    }
    return packed;
  }

  /** Everything between the flags and the target of a link without a name, as of nearly all. */
  #unnamed(further: Buffer): Buffer {
    return getOrMake(this.#unnamedWith, further, () =>
      Buffer.concat([this.#before, this.#behind, further]),
    );
  }

  #furtherWithin(room: number, ofLink: readonly Member[]): Buffer {
    let most = MAX_STRING_BYTES - 2;
    for (const { bytes } of ofLink) most -= bytes + 1;
    let left = Math.min(room - MAX_STRING_BYTES, 0) + most;
    let which = 0;
    let bit = 1;
    for (const { bytes, isNeeded } of this.#further) {
      if (bytes + 1 <= (isNeeded ? most : left)) {
        most -= bytes + 1;
        left -= bytes + 1;
        which |= bit;
      }
      bit <<= 1;
    }
    const packed = ofLink.length > 0 ? undefined : this.#furtherOf.get(which);
    if (packed !== undefined) return packed;
    const ofMessage = this.#further.filter((_, i) => which & (1 << i));
    const further = packMembers([...ofLink, ...ofMessage]);
    if (ofLink.length === 0) this.#furtherOf.set(which, further);
    return further;
  }
}

/** A further fact: `"p":"x"`. */
interface Member {
  readonly json: string;
  readonly bytes: number;
  /** Whether it is sealed even if the token gets long. */
  readonly isNeeded: boolean;
}

/** Of nearly every link. */
const NO_MEMBERS: readonly Member[] = [];

/** @param needed the name of a fact that is sealed whatever its rank */
function membersOf<Facts>(
  further: readonly { readonly name: keyof Facts; readonly key: string; readonly sealed: number }[],
  facts: Facts,
  needed?: keyof Facts,
): readonly Member[] {
  let members: Member[] | undefined;
  for (const { key, name, sealed } of further) {
    const value = facts[name];
    if (value === undefined) continue;
    const json = `"${key}":${jsonOf(value)}`;
    members ??= [];
    members.push({ json, bytes: Buffer.byteLength(json), isNeeded: sealed < 1 || name === needed });
  }
  return members ?? NO_MEMBERS;
}

function packMembers(members: readonly Member[]): Buffer {
  const json = members.map((member) => member.json).join(',');
  return (members.length > 0 && shortString(`{${json}}`)) || NOTHING;
}

/**
 * @param withDigest whether a digest of the tracking domain is among them
 * @returns undefined for contents of a form that this release does not know
 */
export function unpackContents(bytes: Buffer, withDigest: boolean): SealedContents | undefined {
  const flags = bytes[0];
  const lifetime = readBase128(bytes, 4);
  if (flags === undefined || lifetime === undefined) return undefined;
  let at = lifetime.end + (withDigest ? 4 : 0);
  const digest = bytes.toString('latin1', lifetime.end, at);
  const string = (flag: number): string | undefined => {
    if ((flags & flag) === 0) return undefined;
    const start = at + 1;
    at = start + (bytes[at] ?? 0);
    return bytes.toString('utf8', start, at);
  };
  const campaignId = string(Flag.campaign);
  const name = string(Flag.name);
  const recipient = string(Flag.recipient);
  const count = flags & Flag.recipientCount ? readBase128(bytes, at) : undefined;
  at = count?.end ?? at;
  const further = string(Flag.further);
  if (at >= bytes.length) return undefined;
  const rest = bytes.subarray(at);
  const target = flags & Flag.plain ? rest.toString() : expandUrl(rest);
  const values = further === undefined ? {} : parseObject(further);
  const facts = values && furtherFacts(FURTHER, values);
  const linkFacts = values && furtherFacts(FURTHER_OF_LINK, values);
  if (target === undefined || facts === undefined || linkFacts === undefined) return undefined;

  const secondAndPlace = bytes.readUIntBE(1, 3);
  const place = secondAndPlace >> SECOND_BITS;
  return {
    link: {
      target,
      part: flags & Flag.html ? 'html' : 'text',
      name,
      ...linkFacts,
    },
    secondOfDay: secondAndPlace & (2 ** SECOND_BITS - 1),
    ...(place > 0 && { position: place - 1 }),
    lifetime: lifetime.value * (flags & Flag.days ? DAY_SECONDS : 1),
    ...(withDigest && { hostDigest: digest }),
    facts: {
      recipients: recipient === undefined ? [] : [recipient],
      ...(count !== undefined && { recipientCount: count.value }),
      ...(campaignId !== undefined && { campaignId }),
      ...facts,
    },
  };
}

/** @returns undefined for text that no release writes */
function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return object.isValid(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for values that no release writes */
function furtherFacts(
  further: readonly (Fact & { readonly name: string; readonly key: string })[],
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const facts: Record<string, unknown> = {};
  for (const { key, name, shape } of further) {
    const value = values[key];
    if (value === undefined) continue;
    if (!shape.isValid(value)) return undefined;
    facts[name] = value;
  }
  return facts;
}

/** A length byte and the text in UTF-8; undefined for what is absent, empty or too long. */
function shortString(text: string | undefined): Buffer | undefined {
  if (!text) return undefined;
  const bytes = Buffer.from(text);
  return bytes.length > MAX_STRING_BYTES
    ? undefined
    : Buffer.concat([Buffer.of(bytes.length), bytes]);
}
