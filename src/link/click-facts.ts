import { automationReasons } from './automation-reasons.ts';
import {
  count,
  type EventFieldsOf,
  type FactsOf,
  fact,
  listOf,
  oneOf,
  text,
  texts,
  truth,
  urlField,
} from './fact.ts';
import type { LINK_FACTS, MESSAGE_FACTS } from './message-facts.ts';

/*
 * The fact tables, second half: the facts of a click, and of the event that it becomes. No record
 * and no sealed link holds them. message-facts.ts says what an entry is.
 */

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
        ...urlField,
        description: 'where `clickmilter retarget` has the link lead instead of its target',
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
