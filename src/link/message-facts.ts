import {
  count,
  type FactsOf,
  fact,
  object,
  oneOf,
  seconds,
  text,
  textOrTexts,
  texts,
  urlField,
} from './fact.ts';
import { commonDomain, isListed, onlyAddress } from './recipients.ts';

/*
 * The fact tables, first half: every fact of a message or link that events report. Each entry says
 * how records and sealed links hold the fact, and which fields of a click event are made of it. The
 * codecs, the event, its type, its JSON schema (conf/click-event.schema.json) and the fields in
 * docs/events.md follow from the tables: a new fact needs an entry, and a line where its value is
 * found. A fact that is not known is absent, never guessed. click-facts.ts is the second half.
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
        ...urlField,
        description: 'the exact original target',
        required: true,
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
