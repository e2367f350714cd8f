import { appendQuery } from '../lib/append-query.ts';
import { hostName } from '../lib/host-name.ts';
import { isSafeUrl } from '../lib/text.ts';
import { MAX_TARGET } from './fact.ts';
import type { ResolvedLink } from './link-store.ts';

/**
 * Where a link leads, unless an operator has decided otherwise: its target with the parameters of
 * `append_query`.
 * @param isAnonymous whether nothing may tell the site whose link it is
 */
export function destinationOf({ link, message }: ResolvedLink, isAnonymous = false): string {
  const { target, asWritten } = link;
  if (message.appendQuery === undefined || asWritten) return target;
  const values = {
    campaign_id: message.campaignId,
    link_name: link.name,
    pathway: message.pathway,
    message_id: isAnonymous ? undefined : message.messageId,
  };
  const longer = appendQuery(target, message.appendQuery, values);
  return longer.length <= MAX_TARGET && isSafeUrl(longer) ? longer : target;
}

/**
 * Whether a URL leads to a host of tracked links, so that a link which leads there may never end.
 * @param trackingHosts in lower case, without ports
 */
export function leadsBack(
  url: string,
  trackingHosts?: ReadonlySet<string>,
  link?: Pick<ResolvedLink, 'isFor'>,
): boolean {
  const host = hostName(new URL(url).host);
  return trackingHosts?.has(host) === true || link?.isFor(host) === true;
}
