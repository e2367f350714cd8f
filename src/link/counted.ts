import { commonDomain, type MessageFacts } from './facts.ts';

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

/** The tags that are counted. */
export function countedTags(tags: readonly string[]): readonly string[] {
  return tags.length < 2 ? tags : [...new Set(tags.slice(0, MAX_TAGS))];
}
