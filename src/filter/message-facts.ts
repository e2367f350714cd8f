import { limitIdentity } from '../link/identity.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import { newMessageId } from '../link/message-id.ts';
import { decodeEncodedWords, type HeaderField } from '../message/header-fields.ts';
import { fromUtf8 } from '../milter/text.ts';
import type { Decision } from '../scope/decide.ts';

/** An envelope and a message as they were received. */
export interface Received {
  readonly queueId: string | undefined;
  /** Without angle brackets. */
  readonly sender: string;
  /** Without angle brackets. */
  readonly recipients: readonly string[];
  readonly headers: readonly HeaderField[];
  /** Bytes of the body. */
  readonly bodySize: number;
}

/**
 * The facts that clicks on the links of a message report, as far as `click_identity` allows.
 * @param includeMetadata `click_tracking_include_metadata`
 * @param now Unix milliseconds
 */
export function messageFacts(
  { queueId, sender, recipients, headers, bodySize }: Received,
  { options, match, message }: Decision,
  includeMetadata: boolean,
  now: number,
): MessageFacts {
  const injectionTime = Math.floor(now / 1000);
  const facts: MessageFacts = {
    messageId: newMessageId(),
    injectionTime,
    expires: injectionTime + options.trackingLinkExpiry,
    domain: options.trackingDomain,
    sender,
    recipients,
    size: bodySize + headers.reduce(headerSize, 0),
    queueId,
    friendlyFrom: headerText(headers, 'from'),
    subject: headerText(headers, 'subject'),
    rfc822MessageId: MESSAGE_ID.exec(headerText(headers, 'message-id') ?? '')?.[0],
    pathway: match.pathway,
    appendQuery: options.appendQuery || undefined,
    ...message,
    metadata: includeMetadata ? message.metadata : undefined,
  };
  return limitIdentity(facts, options.clickIdentity);
}

/** Adds the bytes of a header field, with the colon and the line end that milters do not see. */
function headerSize(total: number, { name, value }: HeaderField): number {
  return total + name.length + value.length + 3;
}

/**
 * `<…>` alone or before a comment. Longer or other values are not taken: a part of one would be the
 * id of nothing.
 */
const MESSAGE_ID = /^<[^\s\p{Cc}<>]{1,250}>(?=[\s(]|$)/u;

/** Characters after which header texts are cut. */
const MAX_LENGTH = 1000;

/**
 * The text of the first header field of a name: unfolded (RFC 5322, section 2.2.3), with encoded
 * words decoded (RFC 2047), raw bytes read as UTF-8 (RFC 6532).
 * @param name in lower case
 */
function headerText(headers: readonly HeaderField[], name: string): string | undefined {
  const field = headers.find(
    (header) => header.name.length === name.length && header.name.toLowerCase() === name,
  );
  if (field === undefined) return undefined;
  const unfolded = field.value.slice(0, MAX_LENGTH).replace(/\r?\n[ \t]/g, ' ');
  return decodeEncodedWords(fromUtf8(unfolded.trim()));
}
