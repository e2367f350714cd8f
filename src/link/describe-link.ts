import { destinationOf, leadsBack } from './destination.ts';
import type { ResolvedLink } from './link-store.ts';
import type { MessageFacts } from './message-facts.ts';

/** A decision of an operator about a link: without `to` it is blocked, else it leads there. */
interface FoundRuling {
  readonly kind: string;
  readonly to?: string | undefined;
  readonly by?: string;
  readonly since?: string;
  readonly why?: string | undefined;
}

/** Describes a link of a message, and the ruling that holds for it. What is not known is absent. */
export function describeLink(
  resolved: ResolvedLink,
  ruling: FoundRuling | undefined,
  trackingHosts: ReadonlySet<string>,
) {
  const { link } = resolved;
  const isUsed = ruling?.to !== undefined && !leadsBack(ruling.to, trackingHosts, resolved);
  const retarget = isUsed ? ruling : undefined;
  const leadsTo = retarget?.to ?? destinationOf(resolved);
  return {
    target: link.target,
    leads_to: leadsTo === link.target ? undefined : leadsTo,
    retargeted: retarget?.kind,
    retargeted_by: retarget?.by,
    retargeted_at: retarget?.since,
    retargeted_why: retarget?.why,
    name: link.name,
    part: link.part,
    unsubscribe: link.unsubscribe,
    /** The subject of the block. */
    blocked: ruling !== undefined && ruling.to === undefined && ruling.kind,
  };
}

/** Describes a message by the facts that its record or sealed token holds. */
export function describeMessage(message: MessageFacts, linkCount?: number) {
  const { recipients } = message;
  const count = message.recipientCount ?? recipients.length;
  return {
    message: message.messageId,
    queue_id: message.queueId,
    mail_id: message.rfc822MessageId,
    links: linkCount,
    domain: message.domain || undefined,
    sender: message.sender,
    recipient: count === 1 ? recipients[0] : `${count} recipients`,
    from: message.friendlyFrom,
    subject: message.subject,
    size: message.size,
    campaign: message.campaignId,
    tags: message.tags,
    metadata: message.metadata,
    pathway: message.pathway,
    customer: message.customerId,
    append_query: message.appendQuery,
    click_identity: message.identity,
    injected: isoTime(message.injectionTime),
    expires: isoTime(message.expires),
    expired: message.expires * 1000 < Date.now(),
  };
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}
