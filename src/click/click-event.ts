import { domainOf } from '../lib/text.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import { anonymizeIp } from './anonymize-ip.ts';
import type { AutomationReason } from './automation.ts';
import type { Click } from './click.ts';

/**
 * A click as Momentum's webhooks report it. The names above the line are Momentum's, the ones below
 * are ours. A field whose value is not known is left out. conf/click-event.schema.json says the same to programs.
 */
export interface TrackEvent {
  readonly type: 'click';
  readonly event_id: string;
  /** Unix seconds. */
  readonly timestamp: string;
  readonly message_id: string;
  /** The recipient, lower-cased; only where the message has a single one. */
  readonly rcpt_to?: string;
  readonly raw_rcpt_to?: string;
  readonly recipient_domain?: string;
  readonly rcpt_meta?: Readonly<Record<string, unknown>>;
  readonly rcpt_tags?: readonly string[];
  readonly campaign_id?: string;
  readonly target_link_url: string;
  /** `Raw URL` for a link without a name. */
  readonly target_link_name: string;
  readonly user_agent?: string;
  readonly ip_address?: string;
  readonly accept_language?: string;
  readonly delv_method: 'esmtp';
  readonly msg_from?: string;
  readonly friendly_from?: string;
  readonly subject?: string;
  /** Bytes. */
  readonly msg_size?: string;
  /** ISO 8601. */
  readonly injection_time: string;
  readonly click_tracking: true;
  readonly node_name?: string;
  readonly customer_id?: string;
  // ----
  /** The MTA's queue id. */
  readonly queue_id?: string;
  readonly pathway?: string;
  /** How many recipients the message has, where that is more than one. */
  readonly rcpt_count?: number;
  /** How many clicks this event stands for, where that is more than one. */
  readonly repeat_count?: number;
  /** Why the click looks automatic; absent where nothing says so. */
  readonly automation_reasons?: readonly AutomationReason[];
}

/** As it stands in the stream, in the journal and in a webhook's array. */
export interface ClickEvent {
  readonly msys: { readonly track_event: TrackEvent };
}

/** What all events of a process have in common. */
export interface EventNode {
  readonly nodeName?: string;
  readonly customerId?: string;
  /** Whether ip_address is cut to its network. */
  readonly anonymizeIp?: boolean;
}

/** JSON leaves out what is undefined; so may everybody who only ever sees the JSON. */
type Fields<Names extends keyof TrackEvent> = {
  readonly [Name in Names]: TrackEvent[Name] | undefined;
};

type ClickField =
  | 'type'
  | 'event_id'
  | 'timestamp'
  | 'target_link_url'
  | 'target_link_name'
  | 'user_agent'
  | 'ip_address'
  | 'accept_language'
  | 'repeat_count'
  | 'automation_reasons';

/** Bytes of the longest event. Senders decide how long most fields are. */
export const MAX_EVENT_BYTES = 64 * 1024;
/** Characters of a target and of any other text: longer ones are cut. */
const MAX_TARGET = 8192;
const MAX_TEXT = 1000;
/** What a longer event does without, in this order. */
const DISPENSABLE: readonly (keyof TrackEvent)[] = [
  'rcpt_meta',
  'rcpt_tags',
  'subject',
  'friendly_from',
  'accept_language',
  'user_agent',
  'msg_from',
  'raw_rcpt_to',
  'rcpt_to',
  'recipient_domain',
  'campaign_id',
  'pathway',
  'target_link_name',
];

/** Writes the events of a process: JSON of at most MAX_EVENT_BYTES, in valid Unicode without U+0000. */
export class ClickEventWriter {
  readonly #node: EventNode;
  /** What all events of a message have in common, in JSON: the links of one are often followed one after the other. */
  readonly #common = new WeakMap<MessageFacts, string>();

  constructor(node: EventNode) {
    this.#node = node;
  }

  /**
   * @param count how many clicks the event stands for
   * @param reasons why they look automatic
   */
  write(
    click: Click,
    eventId: string,
    count?: number,
    reasons?: readonly AutomationReason[],
  ): string {
    const { message } = click.resolved;
    let common = this.#common.get(message);
    if (common === undefined) {
      common = commonJson(message, this.#node).slice(1);
      this.#common.set(message, common);
    }
    const own = toJson(clickFields(click, this.#node, eventId, count, reasons));
    return shortened(`{"msys":{"track_event":${own.slice(0, -1)},${common}}}`);
  }
}

/** An event as its readers see it. */
export function toClickEvent(
  click: Click,
  node: EventNode,
  ...others: [eventId: string, count?: number, reasons?: readonly AutomationReason[]]
): ClickEvent {
  return JSON.parse(new ClickEventWriter(node).write(click, ...others)) as ClickEvent;
}

function commonJson(message: MessageFacts, node: EventNode): string {
  try {
    return toJson(commonFields(message, node));
  } catch (error) {
    // Metadata may be nested more deeply than can be written.
    if (!(error instanceof RangeError) || message.metadata === undefined) throw error;
    const { metadata, ...others } = message;
    return toJson(commonFields(others, node));
  }
}

function shortened(json: string): string {
  if (json.length <= MAX_EVENT_BYTES / 3 || Buffer.byteLength(json) <= MAX_EVENT_BYTES) return json;
  const { msys } = JSON.parse(json) as { msys: { track_event: Partial<TrackEvent> } };
  const event = { ...msys.track_event };
  let shorter = json;
  for (const name of DISPENSABLE) {
    delete event[name];
    shorter = `{"msys":{"track_event":${toJson(event)}}}`;
    if (Buffer.byteLength(shorter) <= MAX_EVENT_BYTES) break;
  }
  return shorter;
}

/** JSON.stringify writes U+0000 and lone surrogates, which no database takes, as escapes, and nothing else like them. */
function toJson(value: object): string {
  const json = JSON.stringify(value);
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return json;
  return json.replace(/\\(?:u0000|ud[89a-f][\da-f]{2}|.)/g, (escaped) =>
    escaped.length > 2 ? '\ufffd' : escaped,
  );
}

function textOf(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_TEXT);
}

function clickFields(
  { time, resolved: { link }, userAgent, ip, acceptLanguage }: Click,
  { anonymizeIp: cutIp }: EventNode,
  eventId: string,
  count = 1,
  reasons: readonly AutomationReason[] = [],
): Fields<ClickField> {
  return {
    type: 'click',
    event_id: eventId,
    timestamp: String(Math.floor(time / 1000)),
    target_link_url: link.target.slice(0, MAX_TARGET),
    target_link_name: textOf(link.name) ?? 'Raw URL',
    user_agent: textOf(userAgent),
    ip_address: cutIp && ip !== undefined ? anonymizeIp(ip) : ip,
    accept_language: textOf(acceptLanguage),
    repeat_count: count > 1 ? count : undefined,
    automation_reasons: reasons.length > 0 ? reasons : undefined,
  };
}

function commonFields(
  message: MessageFacts,
  { nodeName, customerId }: EventNode,
): Fields<Exclude<keyof TrackEvent, ClickField>> {
  const { recipients, recipientCount = recipients.length } = message;
  // An empty address was forgotten.
  const only = recipients.length === 1 ? textOf(recipients[0] || undefined) : undefined;
  return {
    message_id: message.messageId,
    rcpt_to: only?.toLowerCase(),
    raw_rcpt_to: only,
    recipient_domain: only === undefined ? undefined : domainOf(only),
    rcpt_meta: message.metadata,
    rcpt_tags: message.tags,
    campaign_id: textOf(message.campaignId),
    delv_method: 'esmtp',
    msg_from: textOf(message.sender),
    friendly_from: textOf(message.friendlyFrom),
    subject: textOf(message.subject),
    msg_size: message.size === undefined ? undefined : String(message.size),
    injection_time: new Date(message.injectionTime * 1000).toISOString(),
    click_tracking: true,
    node_name: nodeName,
    customer_id: customerId,
    queue_id: textOf(message.queueId),
    pathway: textOf(message.pathway),
    rcpt_count: recipientCount > 1 ? recipientCount : undefined,
  };
}
