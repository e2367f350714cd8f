import { countedFacts } from '../link/counted.ts';
import { type GivenUp, StoreUnavailable } from '../link/link-store.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import type { RewrittenLink } from '../message/link.ts';
import type { ReadMessage } from '../message/open-message.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';
import type { FilterParts } from './options.ts';
import type { Outcome, WhyUntouched } from './report.ts';
import { htmlForPreview, type TrackedMessage, trackLinks } from './track-links.ts';

/** A message that was read to its end, and may be tracked as far as its header says. */
export interface MessageToTrack {
  readonly read: ReadMessage;
  readonly facts: MessageFacts;
  readonly options: TrackingOptions;
  readonly recipients: readonly string[];
  /** Whether a recipient has opted out. Rejects with StoreUnavailable if that is not known. */
  readonly isOptedOut: Promise<boolean> | undefined;
  /** Takes memory for the new body. @returns false if there is none left */
  takeBody(): boolean;
}

/**
 * Issues the links of a message and saves them, and counts the message. If the store is
 * unavailable, `on_failure` decides.
 * @param givenUp aborted when the MTA no longer waits
 */
export async function trackMessage(
  message: MessageToTrack,
  parts: FilterParts,
  givenUp?: GivenUp,
): Promise<Outcome> {
  const { read, facts, options } = message;
  let made = await trackLinks(read, parts.issuer, facts, options);
  if (made.body === undefined) return nothingToTrack(made);
  // Old and new body are held until the store has answered.
  if (!message.takeBody()) return untouched('memory', made);
  try {
    if (await message.isOptedOut) return untouched('recipient-opted-out', made);
  } catch (error) {
    return storeAway(error, options, made);
  }
  if (options.dryRun) return { verdict: 'dry-run', links: made.links, kind: made.kind, facts };
  try {
    await made.issued?.commit(givenUp);
  } catch (error) {
    if (options.onFailure !== 'seal') return storeAway(error, options, made);
    if (!(error instanceof StoreUnavailable)) throw error;
    made = await trackLinks(read, parts.sealed, facts, options);
    if (made.body === undefined) return nothingToTrack(made);
    await made.issued?.commit(givenUp);
  }
  if (made.issued !== undefined) {
    count(parts, facts, made.links);
    if (options.preview) offerCopy(parts, message, made);
  }
  const { links, kind, body } = made;
  return { verdict: 'tracked', links, kind, facts, body };
}

/** The outcome if no link has a token. */
function nothingToTrack({ links }: TrackedMessage): Outcome {
  const reason = links.length > 0 ? 'nothing-to-track' : 'no-links';
  return { verdict: 'untouched', reason, links };
}

/** The outcome if the links were to be tracked, and the message passes untouched. */
function untouched(reason: WhyUntouched, { links }: TrackedMessage): Outcome {
  return { verdict: 'untouched', reason, links: links.map(asFound) };
}

/** The outcome if the store is unavailable: the links, or whether they may be tracked. */
function storeAway(
  error: unknown,
  { onFailure, dryRun }: TrackingOptions,
  made: TrackedMessage,
): Outcome {
  if (!(error instanceof StoreUnavailable)) throw error;
  const outcome = untouched('store-unavailable', made);
  return onFailure === 'tempfail' && !dryRun ? { ...outcome, verdict: 'tempfailed' } : outcome;
}

function asFound({ url: _, ...link }: RewrittenLink): RewrittenLink {
  return { ...link, tracked: false };
}

function count({ counter }: FilterParts, facts: MessageFacts, links: readonly RewrittenLink[]) {
  let tracked = 0;
  for (const link of links) if (link.tracked) tracked++;
  const time = facts.injectionTime * 1000;
  // The spread comes last: members behind one cost V8 a hundred times as much.
  counter.sent({ time, links: tracked, ...countedFacts(facts) });
}

/** Offers a tracked message as a copy of its campaign's newsletter. */
function offerCopy(
  { previews }: FilterParts,
  { read, facts, options, recipients }: MessageToTrack,
  made: TrackedMessage,
): void {
  if (facts.campaignId === undefined) return;
  previews?.offer({
    campaign: facts.campaignId,
    recipients,
    days: options.previewDays,
    links: made.links.length,
    html: (hrefOf) => htmlForPreview(read, made, hrefOf),
  });
}
