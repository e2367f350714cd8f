import { texts } from './fact.ts';
import type { MessageFacts } from './message-facts.ts';
import { commonDomain } from './recipients.ts';

/** The facts of a message by which it and its clicks are counted. None of them is an address. */
export interface CountedFacts {
  readonly campaign?: string | undefined;
  readonly pathway?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /**
   * The domain that all recipients have in common, in lower case; absent where they have several.
   */
  readonly recipientDomain?: string | undefined;
}

/** Tags of one message that are counted: senders decide how many there are. */
const MAX_TAGS = 10;

/** Found for every message: an object of one form costs less than members that may be absent. */
export function countedFacts(message: MessageFacts): CountedFacts {
  const { campaignId, pathway, tags, recipients } = message;
  return {
    campaign: campaignId,
    pathway,
    tags: tags && countedTags(tags),
    recipientDomain: commonDomain(recipients),
  };
}

/** @param fields of a click event; their types are not checked */
export function countedFactsOfEvent(fields: Readonly<Record<string, unknown>>): CountedFacts {
  const { campaign_id, pathway, recipient_domain, rcpt_tags: tags } = fields;
  return {
    campaign: textOf(campaign_id),
    pathway: textOf(pathway),
    recipientDomain: textOf(recipient_domain),
    tags: texts.isValid(tags) ? countedTags(tags) : undefined,
  };
}

/** @returns undefined for an empty text and for what is not a text */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The tags that are counted. */
function countedTags(tags: readonly string[]): readonly string[] {
  return tags.length < 2 ? tags : [...new Set(tags.slice(0, MAX_TAGS))];
}
