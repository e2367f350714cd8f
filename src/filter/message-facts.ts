import type { MessageFacts } from '../link/facts.ts';
import { newMessageId } from '../link/message-id.ts';
import type { HeaderField } from '../message/header-fields.ts';
import type { Decision } from '../scope/decide.ts';
import { headerText } from './header-text.ts';

/** An envelope and a header as they were received. */
export interface Received {
  readonly queueId?: string | undefined;
  /** Without angle brackets. */
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly headers: readonly HeaderField[];
  readonly bodySize: number;
}

/** What a click on one of the message's links will report; `now` in Unix milliseconds. */
export function messageFacts(
  { queueId, sender, recipients, headers, bodySize }: Received,
  { options, match, campaignId, metadata, tags }: Decision,
  now: number,
): MessageFacts {
  const injectionTime = Math.floor(now / 1000);
  const friendlyFrom = headerText(headers, 'from');
  const subject = headerText(headers, 'subject');
  return {
    messageId: newMessageId(),
    injectionTime,
    expires: injectionTime + options.trackingLinkExpiry,
    domain: options.trackingDomain,
    sender,
    recipients,
    size: bodySize + headers.reduce(headerSize, 0),
    ...(queueId !== undefined && { queueId }),
    ...(friendlyFrom !== undefined && { friendlyFrom }),
    ...(subject !== undefined && { subject }),
    ...(campaignId !== undefined && { campaignId }),
    ...(metadata !== undefined && { metadata }),
    ...(tags !== undefined && { tags }),
    ...(match.pathway !== undefined && { pathway: match.pathway }),
  };
}

/** With the colon and the line end that the milter protocol leaves out. */
function headerSize(total: number, { name, value }: HeaderField): number {
  return total + name.length + value.length + 3;
}
