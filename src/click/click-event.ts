import { formatAddress, maskAddress, parseAddress } from '../lib/address.ts';
import {
  CLICK_FACTS,
  type ClickFacts,
  EVENT_FACTS,
  type EventFacts,
  NODE_FACTS,
  type NodeFacts,
  SIGN_FACTS,
  type SignFacts,
} from '../link/click-facts.ts';
import { type EventField, type FactTable, factsIn, jsonOf } from '../link/fact.ts';
import { withoutReader } from '../link/identity.ts';
import { LINK_FACTS, MESSAGE_FACTS, type MessageFacts } from '../link/message-facts.ts';
import type { Click } from './click.ts';

/** What all events of a process have in common. */
export interface EventNode extends NodeFacts {
  /** Stands in for that of a message without one. */
  readonly customerId?: string;
  /** Whether ip_address is cut to its network. */
  readonly anonymizeIp?: boolean;
}

/** Bytes of the longest event. Senders decide how long most fields are. */
export const MAX_EVENT_BYTES = 64 * 1024;
/** Characters after which a text is cut, unless the fact table says otherwise. */
const MAX_TEXT = 1000;

interface Field extends EventField<unknown> {
  readonly name: string;
  /** The property that holds the fact. */
  readonly fact: string;
  /** What stands before the value in JSON. */
  readonly start: string;
}

function fieldsOf(table: FactTable): readonly Field[] {
  return factsIn(table).flatMap(({ name: fact, event = {} }) =>
    Object.entries(event).map(([name, field]) => ({ ...field, name, fact, start: `,"${name}":` })),
  );
}

const MESSAGE = fieldsOf(MESSAGE_FACTS);
const LINK = fieldsOf(LINK_FACTS);
const CLICK = fieldsOf(CLICK_FACTS);
const EVENT = fieldsOf(EVENT_FACTS);
const SIGNS = fieldsOf(SIGN_FACTS);
const NODE = fieldsOf(NODE_FACTS);
/** What an event that is too long does without, in this order. */
const DISPENSABLE = [...MESSAGE, ...LINK, ...CLICK, ...EVENT, ...NODE]
  .flatMap(({ name, drop }) => (drop === undefined ? [] : { name, drop }))
  .sort((a, b) => a.drop - b.drop);

/** What stands around the members of an event. */
const BEFORE = '{"msys":{"track_event":{';
const BEHIND = '}}}';
/**
 * Bytes of an event that are left to its signs: their names, and the ids of reclassified events.
 */
const ROOM_FOR_SIGNS = 1536;

/**
 * What completes the events of clicks: `start`, members of signs, `reclassifies` and a list, `end`.
 */
export const EVENT_ENDING = { reclassifies: ',"reclassifies":', end: BEHIND } as const;

/** The members of an event that tell its signs. */
export function signMembers(signs: SignFacts): string {
  return membersOf(SIGNS, signs);
}

/**
 * Writes the events of a process: JSON of at most MAX_EVENT_BYTES, in valid Unicode without U+0000.
 */
export class ClickEventWriter {
  readonly #cutsIp: boolean;
  readonly #customerId: string | undefined;
  readonly #node: string;
  /**
   * What all events of a message have in common, in JSON: the links of one are often followed one
   * after the other.
   */
  readonly #common = new WeakMap<MessageFacts, string>();

  constructor(node: EventNode) {
    this.#cutsIp = node.anonymizeIp === true;
    this.#customerId = node.customerId;
    this.#node = membersOf(NODE, node);
  }

  /**
   * Writes an event up to its signs.
   * @param count how many clicks the event stands for
   */
  start(click: Click, eventId: string, count: number): string {
    const { message, link, position } = click.resolved;
    let common = this.#common.get(message);
    if (common === undefined) {
      const customerId = message.customerId ?? this.#customerId;
      const known = customerId === message.customerId ? message : { ...message, customerId };
      // Here, once: senders choose how long that is, and every click would have to shorten it
      // again.
      common = shortened(clean(messageMembers(known) + this.#node).slice(1));
      this.#common.set(message, common);
    }
    const event: EventFacts = { eventId, repeatCount: count, position };
    const own = clean(
      membersOf(EVENT, event) + membersOf(CLICK, this.#seen(click)) + membersOf(LINK, link),
    );
    return BEFORE + shortened(common + own);
  }

  /** The facts of a click that its event may have. */
  #seen(click: Click): ClickFacts {
    const { identity } = click.resolved.message;
    if (identity === 'none') return withoutReader(click);
    const cutsIp = this.#cutsIp || identity === 'domain';
    return cutsIp && click.ip !== undefined ? { ...click, ip: anonymizeIp(click.ip) } : click;
  }
}

function messageMembers(message: MessageFacts): string {
  try {
    return membersOf(MESSAGE, message);
  } catch (error) {
    // Metadata may be nested more deeply than can be written.
    if (!(error instanceof RangeError) || message.metadata === undefined) throw error;
    return membersOf(MESSAGE, { ...message, metadata: undefined });
  }
}

/** The fields of these facts in JSON, each with a comma before it. */
function membersOf(fields: readonly Field[], facts: object): string {
  let json = '';
  for (const { fact, start, from, maxLength = MAX_TEXT } of fields) {
    let value = (facts as Readonly<Record<string, unknown>>)[fact];
    if (from !== undefined) value = from(value, facts as MessageFacts);
    if (value === undefined) continue;
    const isLong = typeof value === 'string' && value.length > maxLength;
    json += start + jsonOf(isLong ? (value as string).slice(0, maxLength) : value);
  }
  return json;
}

/** The members of an event without those that it has no room for. */
function shortened(members: string): string {
  const most = MAX_EVENT_BYTES - BEFORE.length - BEHIND.length - ROOM_FOR_SIGNS;
  if (members.length <= most / 3 || Buffer.byteLength(members) <= most) return members;
  const event = JSON.parse(`{${members}}`) as Record<string, unknown>;
  let shorter = members;
  for (const { name } of DISPENSABLE) {
    delete event[name];
    shorter = clean(JSON.stringify(event)).slice(1, -1);
    if (Buffer.byteLength(shorter) <= most) break;
  }
  return shorter;
}

/**
 * JSON.stringify writes U+0000 and lone surrogates, which no database takes, as escapes, and
 * nothing else like them.
 */
function clean(json: string): string {
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return json;
  return json.replace(/\\(?:u0000|ud[89a-f][\da-f]{2}|.)/g, (escaped) =>
    escaped.length > 2 ? '\ufffd' : escaped,
  );
}

const IPV4_BITS = 24;
const IPV6_BITS = 48;

/**
 * Cuts an address to its network: /24 of IPv4, /48 of IPv6 (the network of one customer); the rest
 * becomes zero.
 */
export function anonymizeIp(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  return formatAddress(maskAddress(address, address.length === 4 ? IPV4_BITS : IPV6_BITS));
}
