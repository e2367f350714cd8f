import { count, factsIn, jsonOf, object, text } from './fact.ts';
import { MESSAGE_FACTS, type MessageFacts } from './message-facts.ts';

/**
 * A message in its record, everything but the links: its facts under their keys in the fact table,
 * in the form in which they are stored. Null stands for a fact that the template has and the
 * message has not.
 */
export interface Head extends Readonly<Record<string, unknown>> {
  /** The secret from which the checks in the tokens are derived. */
  readonly x: string;
  /** Number of links; absent in format 3. */
  readonly l?: number | undefined;
}

/**
 * Facts that the instances of a newsletter have in common, under the keys that they have in a head.
 */
export type SharedFacts = Readonly<Record<string, unknown>>;

const STORED = factsIn(MESSAGE_FACTS).flatMap(({ key, stored, ...fact }) =>
  key === undefined
    ? []
    : { ...fact, key, stored, shape: stored?.shape ?? fact.shape, start: `,"${key}":` },
);
const SHARED = STORED.filter(({ shared }) => shared);
const HEAD = [
  { key: 'x', shape: text, required: true, shared: false },
  ...STORED,
  { key: 'l', shape: count, required: false, shared: false },
];

/**
 * JSON of a head without the facts that its template has as well, and with null for those that only
 * the template has.
 */
export function headOf(
  message: MessageFacts,
  secret: string,
  template: SharedFacts,
  links?: number,
): string {
  // A growing string: JSON.stringify takes twice as long for an object that is put together by
  // names in variables.
  let json = `{"x":${jsonOf(secret)}`;
  for (const { name, key, stored, shared, start } of STORED) {
    let value: unknown = message[name];
    if (stored !== undefined) value = stored.write(value, message);
    if (shared) value = isSame(value, template[key]) ? undefined : (value ?? null);
    if (value !== undefined) json += start + jsonOf(value);
  }
  return links === undefined ? `${json}}` : `${json},"l":${links}}`;
}

/** @throws Error for a text that is not a head */
export function parseHead(json: string): Head {
  const head = parseObject(json);
  for (const { key, shape, required, shared } of HEAD) {
    const value = head[key];
    if (value === undefined && required && !shared) {
      throw new Error(`"${key}" is missing in its head`);
    }
    if (!(shared && value === null)) check(key, value, shape.isValid);
  }
  return head as Head;
}

/** @throws Error for a text that does not hold facts */
export function parseSharedFacts(json: string): SharedFacts {
  const facts = parseObject(json);
  for (const { key, shape } of SHARED) check(key, facts[key], shape.isValid);
  return facts;
}

function parseObject(json: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(json);
  if (!object.isValid(value)) throw new Error('its head is not an object');
  return value;
}

function check(key: string, value: unknown, isValid: (value: unknown) => boolean): void {
  if (value !== undefined && !isValid(value)) {
    throw new Error(`"${key}" in its head has a value it cannot have`);
  }
}

export function recipientsOf(head: Head): readonly string[] {
  return MESSAGE_FACTS.recipients.stored.read(head['r'] as string | readonly string[]);
}

/** @throws Error for a head without a fact that every message has */
export function factsOf(head: Head, messageId: string): MessageFacts {
  const facts: Record<string, unknown> = { messageId };
  for (const { name, key, stored, required } of STORED) {
    const value = head[key];
    if (value !== undefined && value !== null) {
      facts[name] = stored === undefined ? value : stored.read(value as never, facts as never);
    } else if (required) {
      throw new Error(`"${key}" is missing in its head`);
    }
  }
  return facts as unknown as MessageFacts;
}

export function sharedFacts(message: MessageFacts): SharedFacts {
  return Object.fromEntries(SHARED.map(({ name, key }) => [key, message[name]]));
}

/** The facts that are the same in both. */
export function factsInCommon(some: SharedFacts, others: SharedFacts): SharedFacts {
  return Object.fromEntries(
    SHARED.filter(({ key }) => isSame(some[key], others[key])).map(({ key }) => [key, some[key]]),
  );
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && isSameList(a, b));
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
