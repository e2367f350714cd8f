import { domainOf } from '../lib/text.ts';
import { CLICK_FACTS, type ClickFacts } from './click-facts.ts';
import { type FactTable, factsIn } from './fact.ts';
import { MESSAGE_FACTS, type MessageFacts } from './message-facts.ts';

/** How much links, events, log and counts may tell of the recipient: `click_identity`. */
export type ClickIdentity = 'recipient' | 'domain' | 'none';

/** Spread behind facts, these remove the personal ones. Made once, since each message needs them. */
const WITHOUT_PERSONAL_OF_MESSAGE = withoutPersonal(MESSAGE_FACTS);
const WITHOUT_PERSONAL_OF_CLICK = withoutPersonal(CLICK_FACTS);

function withoutPersonal(table: FactTable): Readonly<Record<string, undefined>> {
  const personal = factsIn(table).filter((fact) => fact.personal);
  return Object.fromEntries(personal.map(({ name }) => [name, undefined]));
}

/**
 * The facts of a message without those that tell more of the recipient than allowed. The message
 * keeps the limit as a fact of its own, which holds for its clicks too.
 */
export function limitIdentity(message: MessageFacts, limit: ClickIdentity): MessageFacts {
  if (limit === 'recipient') return message;
  const { recipients } = message;
  const recipientCount = message.recipientCount ?? recipients.length;
  const domain = domainOf((recipients.length === 1 && recipients[0]) || '');
  return {
    ...message,
    ...WITHOUT_PERSONAL_OF_MESSAGE,
    // An address without its local part: events have its domain, and records and sealed links hold
    // it as any address.
    recipients: limit === 'domain' && domain ? [`@${domain}`] : [],
    recipientCount,
    identity: limit,
  };
}

/** The facts of a click without those that tell who the reader is. */
export function withoutReader(click: ClickFacts): ClickFacts {
  return { ...click, ...WITHOUT_PERSONAL_OF_CLICK };
}
