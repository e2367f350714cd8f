import { domainOf } from '../lib/text.ts';
import { type FactTable, factsIn } from './fact.ts';
import { CLICK_FACTS, type ClickFacts, MESSAGE_FACTS, type MessageFacts } from './facts.ts';

/** How much links, events, log and counts may tell of the recipient: `click_identity`. */
export type ClickIdentity = 'recipient' | 'domain' | 'none';

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
    ...withoutPersonal(MESSAGE_FACTS, message),
    // An address without its local part: events have its domain, and records and sealed links hold
    // it as any address.
    recipients: limit === 'domain' && domain ? [`@${domain}`] : [],
    recipientCount,
    identity: limit,
  };
}

/** The facts of a click without those that tell who the reader is. */
export function withoutReader(click: ClickFacts): ClickFacts {
  return withoutPersonal(CLICK_FACTS, click);
}

function withoutPersonal<Facts extends object>(table: FactTable, facts: Facts): Facts {
  const personal = factsIn(table).filter((fact) => fact.personal);
  return { ...facts, ...Object.fromEntries(personal.map(({ name }) => [name, undefined])) };
}
