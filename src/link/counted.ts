import { commonDomain, type MessageFacts } from './facts.ts';

/** The facts of a message by which it and its clicks are counted. None of them is an address. */
export interface CountedFacts {
  readonly campaign?: string;
  readonly pathway?: string;
  readonly tags?: readonly string[];
  /**
   * The domain that all recipients have in common, in lower case; absent where they have several.
   */
  readonly recipientDomain?: string;
}

/** Tags of one message that are counted: senders decide how many there are. */
const MAX_TAGS = 10;

export function countedFacts({
  campaignId,
  pathway,
  tags,
  recipients,
}: MessageFacts): CountedFacts {
  const recipientDomain = commonDomain(recipients);
  return {
    ...(campaignId !== undefined && { campaign: campaignId }),
    ...(pathway !== undefined && { pathway }),
    ...(tags !== undefined && tags.length > 0 && { tags: countedTags(tags) }),
    ...(recipientDomain && { recipientDomain }),
  };
}

/** The tags that are counted. */
export function countedTags(tags: readonly string[]): readonly string[] {
  return [...new Set(tags.slice(0, MAX_TAGS))];
}
