import { domainOf } from '../lib/text.ts';
import { automationReasons } from './automation-reasons.ts';
import {
  count,
  type EventFieldsOf,
  type FactsOf,
  fact,
  listOf,
  object,
  oneOf,
  seconds,
  text,
  textOrTexts,
  texts,
  truth,
} from './fact.ts';

/*
 * The fact tables: every fact of a message, a link or a click that events report. Each entry says
 * how records and sealed links hold the fact, and which fields of a click event are made of it. The
 * codecs, the event, its type, its JSON schema (conf/click-event.schema.json) and the fields in
 * docs/events.md follow from the tables: a new fact needs an entry, and a line where its value is
 * found. A fact that is not known is absent, never guessed.
 */

/**
 * Facts of a message that are known when its links are made, in the order in which a record holds
 * them.
 */
export const MESSAGE_FACTS = {
  /** Our own id of the message: 16 characters of base64url (96 random bits); see `newMessageId`. */
  messageId: fact(text, {
    required: true,
    sealed: 'always',
    event: {
      message_id: {
        description: 'the id that clickmilter gave the message',
        schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{16}$' },
        required: true,
      },
    },
  }),
  /** Unix seconds. */
  injectionTime: fact(seconds, {
    required: true,
    key: 'i',
    sealed: 'always',
    event: {
      injection_time: {
        description: 'when the message was injected: ISO 8601, UTC',
        schema: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$' },
        required: true,
        from: (time = 0) => new Date(time * 1000).toISOString(),
      },
    },
  }),
  /**
   * Unix seconds; later clicks are not recorded. A record holds the seconds since the injection.
   */
  expires: fact(seconds, {
    required: true,
    key: 'e',
    stored: {
      shape: seconds,
      write: (expires = 0, { injectionTime }) => Math.max(0, expires - injectionTime),
      read: (lifetime: number, { injectionTime }) => injectionTime + lifetime,
    },
    sealed: 'always',
  }),
  /**
   * `tracking_domain`, lower case, with its port where it has one: the only Host the links answer
   * to.
   */
  domain: fact(text, { required: true, key: 'd', shared: true, sealed: 'always' }),
  /** Envelope recipients without angle brackets, as written; empty where none is known. */
  recipients: fact(texts, {
    required: true,
    key: 'r',
    stored: {
      shape: textOrTexts,
      write: (recipients = []) =>
        isListed(recipients) ? (recipients.length === 1 && recipients[0]) || recipients : [],
      read: (stored: string | readonly string[]) =>
        typeof stored === 'string' ? [stored] : stored,
    },
    sealed: 'bounded',
    event: {
      rcpt_to: {
        description: 'the recipient, in lower case; absent if the message has several',
        schema: text.schema,
        from: (recipients) => onlyAddress(recipients)?.toLowerCase(),
        drop: 9,
      },
      raw_rcpt_to: {
        description: 'the recipient as injected',
        schema: text.schema,
        from: onlyAddress,
        drop: 8,
      },
      recipient_domain: {
        description: 'the domain of the recipients, in lower case; absent if they have several',
        schema: text.schema,
        from: commonDomain,
        drop: 10,
      },
    },
  }),
  /**
   * How many recipients there are, where `recipients` does not list them (a sealed link of a
   * message with several).
   */
  recipientCount: fact(count, {
    key: 'n',
    stored: {
      shape: count,
      write: (known, { recipients }) =>
        known ?? (isListed(recipients) ? undefined : recipients.length),
      read: (stored: number) => stored,
    },
    sealed: 'always',
    event: {
      rcpt_count: {
        description: 'how many recipients the message has, where that is more than one',
        schema: { type: 'integer', minimum: 2 },
        own: true,
        from: (known, { recipients }) => {
          const recipientCount = known ?? recipients.length;
          return recipientCount > 1 ? recipientCount : undefined;
        },
      },
    },
  }),
  /** Envelope sender without angle brackets; empty for a bounce. */
  sender: fact(text, {
    key: 's',
    shared: true,
    // Many senders put the recipient's address into it, to know whose mail bounced.
    personal: true,
    sealed: 4,
    event: { msg_from: { description: 'the envelope sender; empty for a bounce', drop: 7 } },
  }),
  queueId: fact(text, {
    key: 'q',
    personal: true,
    sealed: 5,
    event: { queue_id: { description: "the MTA's queue id", own: true, drop: 13 } },
  }),
  /** The From header, unfolded. */
  friendlyFrom: fact(text, {
    key: 'f',
    shared: true,
    event: { friendly_from: { description: 'the From header', drop: 4 } },
  }),
  subject: fact(text, {
    key: 'j',
    shared: true,
    personal: true,
    sealed: 6,
    event: { subject: { description: 'the Subject header', drop: 3 } },
  }),
  /** Bytes of header and body. */
  size: fact(count, {
    key: 'z',
    // The MTA's log has it beside the recipient.
    personal: true,
    event: {
      msg_size: {
        description: 'bytes of the message, header and body',
        schema: { type: 'string', pattern: '^[0-9]+$' },
        from: (size) => size?.toString(),
      },
    },
  }),
  campaignId: fact(text, {
    key: 'c',
    shared: true,
    sealed: 'bounded',
    event: { campaign_id: { description: 'the campaign that the sender named', drop: 11 } },
  }),
  metadata: fact(object, {
    key: 'm',
    personal: true,
    sealed: 2,
    event: { rcpt_meta: { description: 'the metadata that the sender gave', drop: 1 } },
  }),
  tags: fact(texts, {
    key: 'g',
    shared: true,
    personal: true,
    sealed: 3,
    event: { rcpt_tags: { description: 'the tags that the sender gave', drop: 2 } },
  }),
  pathway: fact(text, {
    key: 'p',
    shared: true,
    sealed: 1,
    event: { pathway: { description: "the message's pathway", own: true, drop: 12 } },
  }),
  /** `mo_customer_id`; events of a message without it have the configured `customer_id`. */
  customerId: fact(text, {
    key: 'k',
    shared: true,
    sealed: 0,
    event: {
      customer_id: {
        description: '`mo_customer_id` of the message, else `customer_id` of the `events` stanza',
      },
    },
  }),
  /** `append_query`: parameters that the redirect endpoint adds to targets. */
  appendQuery: fact(text, { key: 'a', shared: true, sealed: 0.5 }),
  /** The Message-ID header, with its angle brackets. */
  rfc822MessageId: fact(text, {
    key: 'h',
    personal: true,
    sealed: 7,
    event: {
      rfc822_message_id: { description: "the message's own Message-ID", own: true, drop: 14 },
    },
  }),
  /** Present where `click_identity` limits what is kept of the recipient and the reader. */
  identity: fact(oneOf('domain', 'none'), {
    key: 'y',
    shared: true,
    sealed: 0,
    event: {
      click_identity: {
        description:
          'how much of the recipient and the reader the event may tell: `click_identity`; absent if all that is known',
        own: true,
      },
    },
  }),
} as const;

export type MessageFacts = FactsOf<typeof MESSAGE_FACTS>;

/** The name of links that have none. */
export const RAW_URL = 'Raw URL';

/** Facts of one link. */
export const LINK_FACTS = {
  /** The exact original target, an http or https URL of ASCII characters. */
  target: fact(text, {
    required: true,
    sealed: 'always',
    event: {
      target_link_url: {
        description: 'the exact original target',
        schema: { type: 'string', pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[ -~]+$' },
        required: true,
        maxLength: 8192,
      },
    },
  }),
  /** `data-msys-linkname`; absent for a link without a name. */
  name: fact(text, {
    sealed: 'bounded',
    event: {
      target_link_name: {
        description: '`data-msys-linkname`, or `Raw URL`',
        schema: { type: 'string', minLength: 1 },
        required: true,
        from: (name = RAW_URL) => name,
      },
    },
  }),
  /** The top part it was found in. */
  part: fact(oneOf('text', 'html'), {
    required: true,
    sealed: 'always',
    event: { part: { description: 'the part of the message that the link is in', own: true } },
  }),
  /** Whether a click on it unsubscribes, by `data-msys-unsubscribe`. */
  unsubscribe: fact(oneOf(true), {
    key: 'u',
    sealed: 0,
    event: {
      type: {
        description:
          '`click`; `link_unsubscribe` for a click on a link marked with `data-msys-unsubscribe`',
        schema: { enum: ['click', 'link_unsubscribe'] },
        required: true,
        from: (isUnsubscribe) => (isUnsubscribe ? 'link_unsubscribe' : 'click'),
      },
    },
  }),
  /** Whether `append_query` is not added to the target, by `exclude_append`. */
  asWritten: fact(oneOf(true), { key: 'w', sealed: 0 }),
} as const;

export type TrackedLink = FactsOf<typeof LINK_FACTS>;

/** Facts of a click, as the redirect endpoint sees it. */
export const CLICK_FACTS = {
  /** Unix milliseconds. */
  time: fact(count, {
    required: true,
    event: {
      timestamp: {
        description: 'when the link was followed, in Unix seconds',
        schema: { type: 'string', pattern: '^[0-9]+$' },
        required: true,
        from: (time = 0) => String(Math.floor(time / 1000)),
      },
    },
  }),
  /** Where an operator has the link lead instead of its target (`clickmilter retarget`). */
  redirectedTo: fact(text, {
    event: {
      redirected_to: {
        description: 'where `clickmilter retarget` has the link lead instead of its target',
        schema: { type: 'string', pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[ -~]+$' },
        maxLength: 8192,
        own: true,
      },
    },
  }),
  /** The client's address, after trusted proxies; absent where it is not to be kept. */
  ip: fact(text, {
    personal: true,
    event: {
      ip_address: {
        description: "the client's address; its /24 or /48 network with `anonymize_ip`",
      },
    },
  }),
  userAgent: fact(text, {
    personal: true,
    event: {
      user_agent: {
        description: 'the User-Agent header',
        schema: { type: 'string', maxLength: 1000 },
        drop: 6,
      },
    },
  }),
  acceptLanguage: fact(text, {
    personal: true,
    event: {
      accept_language: {
        description: 'the Accept-Language header',
        schema: { type: 'string', maxLength: 200 },
        drop: 5,
      },
    },
  }),
} as const;

export type ClickFacts = FactsOf<typeof CLICK_FACTS>;

/** Facts that are known when a click becomes an event. */
export const EVENT_FACTS = {
  eventId: fact(text, {
    required: true,
    event: {
      event_id: {
        description: 'unique; delivery is at least once: an event that comes again has the same id',
        schema: { type: 'string', minLength: 1 },
        required: true,
      },
    },
  }),
  repeatCount: fact(count, {
    required: true,
    event: {
      repeat_count: {
        description:
          'how many clicks the event stands for, where a flood of them was recorded as one',
        schema: { type: 'integer', minimum: 2 },
        own: true,
        from: (clicks = 1) => (clicks > 1 ? clicks : undefined),
      },
    },
  }),
  position: fact(count, {
    event: {
      link_position: {
        description:
          'the place of the link among the tracked links of the message, from 0 on; ' +
          'a sealed link knows the first 127 places',
        own: true,
      },
    },
  }),
} as const;

export type EventFacts = FactsOf<typeof EVENT_FACTS>;

/** Facts that follow from a click and from those before it. */
export const SIGN_FACTS = {
  isAutomatic: fact(truth, {
    required: true,
    event: {
      is_automatic: {
        description:
          'whether a program made the click, as far as is known by then; see `reclassifies`',
        own: true,
        required: true,
      },
    },
  }),
  automationReasons: fact(listOf(...automationReasons), {
    required: true,
    event: {
      automation_reasons: {
        description: 'the signs of automation that the click has; absent where it has none',
        own: true,
        from: (reasons = []) => (reasons.length > 0 ? reasons : undefined),
      },
    },
  }),
  /** The store adds it when it keeps the event. */
  reclassifies: fact(texts, {
    event: {
      reclassifies: {
        description:
          'the `event_id` of earlier clicks of the burst, at most 20, which turn out to be ' +
          'automatic too',
        schema: { type: 'array', minItems: 1, maxItems: 20, uniqueItems: true, items: text.schema },
        own: true,
      },
    },
  }),
} as const;

export type SignFacts = FactsOf<typeof SIGN_FACTS>;

/** Facts that all events of a process have in common. */
export const NODE_FACTS = {
  deliveryMethod: fact(oneOf('esmtp'), {
    event: {
      delv_method: {
        description: 'how the message was sent',
        required: true,
        from: () => 'esmtp' as const,
      },
    },
  }),
  clickTracking: fact(oneOf(true), {
    event: {
      click_tracking: {
        description: 'whether the links of the message are tracked',
        required: true,
        from: () => true as const,
      },
    },
  }),
  nodeName: fact(text, {
    event: { node_name: { description: 'the host that recorded the click: `node_name`' } },
  }),
} as const;

export type NodeFacts = FactsOf<typeof NODE_FACTS>;

/**
 * A click as Momentum's webhooks report it. A field whose value is not known is absent.
 * docs/events.md and the JSON schema describe each field.
 */
export interface TrackEvent
  extends EventFieldsOf<
    typeof MESSAGE_FACTS &
      typeof LINK_FACTS &
      typeof CLICK_FACTS &
      typeof EVENT_FACTS &
      typeof SIGN_FACTS &
      typeof NODE_FACTS
  > {}

/**
 * A click event as it is in the Redis stream, in the journal and in the array that the webhook
 * posts.
 */
export interface ClickEvent {
  readonly msys: { readonly track_event: TrackEvent };
}

/**
 * Characters of recipients that a record lists. Clicks name none of several; the list is there for
 * `forget`.
 */
const MAX_RECIPIENTS_LENGTH = 256 * 1024;

function isListed(recipients: readonly string[]): boolean {
  return (
    recipients.length < 2 ||
    recipients.reduce((sum, { length }) => sum + length + 3, 0) <= MAX_RECIPIENTS_LENGTH
  );
}

/** The domain that all recipients have in common, in lower case. */
export function commonDomain(recipients: readonly string[] = []): string | undefined {
  const domain = domainOf(recipients[0] ?? '');
  const isCommon = recipients.every((recipient) => domainOf(recipient) === domain);
  return isCommon ? domain || undefined : undefined;
}

/**
 * @returns undefined also for an address that was forgotten, which is empty, and for one that is
 * only a domain
 */
function onlyAddress(recipients?: readonly string[]): string | undefined {
  const address = onlyOne(recipients);
  return address?.startsWith('@') ? undefined : address;
}

/** @returns undefined also for an address that was forgotten, which is empty */
function onlyOne(recipients: readonly string[] = []): string | undefined {
  return recipients.length === 1 ? recipients[0] || undefined : undefined;
}
