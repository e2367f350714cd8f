import type { MessageFacts } from './message-facts.ts';

/** Facts that the copies of a newsletter may have in common, under the names they have in a record. */
export interface CommonFacts {
  /** domain */
  readonly d?: string | undefined;
  /** sender */
  readonly s?: string | undefined;
  /** friendlyFrom */
  readonly f?: string | undefined;
  /** subject */
  readonly j?: string | undefined;
  /** campaignId */
  readonly c?: string | undefined;
  /** tags */
  readonly g?: readonly string[] | undefined;
  /** pathway */
  readonly p?: string | undefined;
}

/** A message in its record, everything but the links; absent facts stay absent. */
export interface Head extends Nullable<CommonFacts> {
  /** secret */
  readonly x: string;
  /** injectionTime */
  readonly i: number;
  /** seconds from injection to expiry */
  readonly e: number;
  /** recipients; a single one as a string */
  readonly r: string | readonly string[];
  /** recipientCount, where there are too many to list */
  readonly n?: number | undefined;
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

type Shape = (value: unknown) => boolean;

const isString: Shape = (value) => typeof value === 'string';
const isStrings: Shape = (value) => Array.isArray(value) && value.every(isString);
const isCount: Shape = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isObject: Shape = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** The last second of the year 9999, beyond which no date can be written. */
const isTime: Shape = (value) => isCount(value) && Number(value) < 253_402_300_800;

const COMMON_SHAPES: Readonly<Record<keyof CommonFacts, Shape>> = {
  d: isString,
  s: isString,
  f: isString,
  j: isString,
  c: isString,
  g: isStrings,
  p: isString,
};

const OWN_SHAPES: Readonly<Record<Exclude<keyof Head, keyof CommonFacts>, Shape>> = {
  x: isString,
  i: isTime,
  e: isTime,
  r: (value) => isString(value) || isStrings(value),
  n: isCount,
  q: isString,
  z: isCount,
  m: isObject,
  l: isCount,
};

export const COMMON_FACTS = Object.keys(COMMON_SHAPES) as readonly (keyof CommonFacts)[];

/** @throws Error for a text that is no head */
export function parseHead(json: string): Head {
  const head = parseObject(json);
  for (const name of ['x', 'i', 'e', 'r'] as const) {
    if (head[name] === undefined) throw new Error(`"${name}" is missing in its head`);
  }
  check(head, OWN_SHAPES);
  // A copy writes null for a fact that its edition has and it has not.
  check(head, COMMON_SHAPES, null);
  return head as unknown as Head;
}

/** @throws Error for a text that holds no facts */
export function parseCommonFacts(json: string): CommonFacts {
  const facts = parseObject(json);
  check(facts, COMMON_SHAPES);
  return facts;
}

/** Whether a value read from elsewhere than a record can be this fact of a message. */
export function isFact(name: keyof Head, value: unknown): boolean {
  return { ...OWN_SHAPES, ...COMMON_SHAPES }[name](value);
}

function parseObject(json: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(json);
  if (!isObject(value)) throw new Error('its head is no object');
  return value as Readonly<Record<string, unknown>>;
}

function check(
  values: Readonly<Record<string, unknown>>,
  shapes: Readonly<Record<string, Shape>>,
  absent?: null,
): void {
  for (const [name, isValid] of Object.entries(shapes)) {
    const value = values[name];
    if (value === undefined || value === absent) continue;
    if (!isValid(value)) throw new Error(`"${name}" in its head has a value it cannot have`);
  }
}

export function commonFacts(message: MessageFacts): CommonFacts {
  return {
    d: message.domain,
    s: message.sender,
    f: message.friendlyFrom,
    j: message.subject,
    c: message.campaignId,
    g: message.tags,
    p: message.pathway,
  };
}

/** Whether two values of a fact are the same. */
export function sameFact(a: CommonFacts[keyof CommonFacts], b: typeof a): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && isSameList(a, b));
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** Characters of recipients that a record lists. Clicks name none of several; the list is there for `forget`. */
const MAX_RECIPIENTS_LENGTH = 256 * 1024;

/** JSON of a head without the facts that others have as well, and with null for those that only they have. */
export function headOf(
  message: MessageFacts,
  secret: string,
  others: CommonFacts,
  links?: number,
): string {
  const own = <Fact extends CommonFacts[keyof CommonFacts]>(fact: Fact, theirs: Fact) =>
    sameFact(fact, theirs) ? undefined : (fact ?? null);
  const { recipients } = message;
  const isListed =
    recipients.length < 2 ||
    recipients.reduce((sum, { length }) => sum + length + 3, 0) <= MAX_RECIPIENTS_LENGTH;
  // In one piece: of objects that are put together JSON takes ten times as long.
  const head: Head = {
    x: secret,
    i: message.injectionTime,
    e: Math.max(0, message.expires - message.injectionTime),
    d: own(message.domain, others.d),
    r: !isListed ? [] : (recipients.length === 1 && recipients[0]) || recipients,
    n: isListed ? undefined : recipients.length,
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

export function recipientsOf({ r }: Head): readonly string[] {
  return typeof r === 'string' ? [r] : r;
}

export function factsOf(head: Head, messageId: string): MessageFacts {
  return {
    messageId,
    injectionTime: head.i,
    expires: head.i + head.e,
    domain: head.d ?? '',
    recipients: recipientsOf(head),
    ...(head.n !== undefined && { recipientCount: head.n }),
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
