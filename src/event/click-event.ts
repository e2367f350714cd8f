import type { Click } from '../link/click.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import { anonymizeIp } from './anonymize-ip.ts';
import type { AutomationReason } from './automation.ts';

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

/** Writes the events of a process. */
export class ClickEventWriter {
  readonly #node: EventNode;
  /** What all events of a message have in common, in JSON: the links of one are often followed one after the other. */
  readonly #common = new WeakMap<MessageFacts, string>();

  constructor(node: EventNode) {
    this.#node = node;
  }

  /** The JSON of what `toClickEvent` returns. */
  write(
    click: Click,
    eventId: string,
    count?: number,
    reasons?: readonly AutomationReason[],
  ): string {
    const { message } = click.resolved;
    let common = this.#common.get(message);
    if (common === undefined) {
      common = JSON.stringify(commonFields(message, this.#node)).slice(1);
      this.#common.set(message, common);
    }
    const own = JSON.stringify(clickFields(click, this.#node, eventId, count, reasons));
    return `{"msys":{"track_event":${own.slice(0, -1)},${common}}}`;
  }
}

/**
 * @param count how many clicks the event stands for
 * @param reasons why they look automatic
 */
export function toClickEvent(
  click: Click,
  node: EventNode,
  eventId: string,
  count?: number,
  reasons?: readonly AutomationReason[],
): ClickEvent {
  const event = {
    ...clickFields(click, node, eventId, count, reasons),
    ...commonFields(click.resolved.message, node),
  };
  return { msys: { track_event: event as TrackEvent } };
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
    target_link_url: link.target,
    target_link_name: link.name ?? 'Raw URL',
    user_agent: userAgent,
    ip_address: cutIp && ip !== undefined ? anonymizeIp(ip) : ip,
    accept_language: acceptLanguage,
    repeat_count: count > 1 ? count : undefined,
    automation_reasons: reasons.length > 0 ? reasons : undefined,
  };
}

function commonFields(
  message: MessageFacts,
  { nodeName, customerId }: EventNode,
): Fields<Exclude<keyof TrackEvent, ClickField>> {
  const { recipients, recipientCount = recipients.length } = message;
  const only = recipients.length === 1 ? recipients[0] : undefined;
  return {
    message_id: message.messageId,
    rcpt_to: only?.toLowerCase(),
    raw_rcpt_to: only,
    recipient_domain: only === undefined ? undefined : domainOf(only),
    rcpt_meta: message.metadata,
    rcpt_tags: message.tags,
    campaign_id: message.campaignId,
    delv_method: 'esmtp',
    msg_from: message.sender,
    friendly_from: message.friendlyFrom,
    subject: message.subject,
    msg_size: message.size === undefined ? undefined : String(message.size),
    injection_time: new Date(message.injectionTime * 1000).toISOString(),
    click_tracking: true,
    node_name: nodeName,
    customer_id: customerId,
    queue_id: message.queueId,
    pathway: message.pathway,
    rcpt_count: recipientCount > 1 ? recipientCount : undefined,
  };
}

function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  return at < 0 ? undefined : address.slice(at + 1).toLowerCase();
}
