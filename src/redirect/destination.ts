import { appendQuery } from '../lib/append-query.ts';
import type { ResolvedLink } from '../link/link-store.ts';

// Visible ASCII and space: such a URL cannot end a header line.
const SAFE_URL = /^https?:\/\/[\x20-\x7e]+$/i;

/** Whether a reader may be sent there, whatever a record or token says. */
export function isSafeUrl(url: string): boolean {
  return SAFE_URL.test(url);
}

/**
 * Where a link leads: its target with the parameters of `append_query`.
 * @param isAnonymous whether nothing may tell the site whose link it is
 */
export function destinationOf({ link, message }: ResolvedLink, isAnonymous = false): string {
  const { target, asWritten } = link;
  if (message.appendQuery === undefined || asWritten) return target;
  const longer = appendQuery(target, message.appendQuery, {
    campaign_id: message.campaignId,
    link_name: link.name,
    pathway: message.pathway,
    message_id: isAnonymous ? undefined : message.messageId,
  });
  return isSafeUrl(longer) ? longer : target;
}
