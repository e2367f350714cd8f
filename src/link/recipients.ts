import { domainOf } from '../lib/text.ts';

/**
 * Characters of recipients that a record lists. Clicks name none of several; the list is there for
 * `forget`.
 */
const MAX_RECIPIENTS_LENGTH = 256 * 1024;

/** Whether a record lists these recipients, instead of their number. */
export function isListed(recipients: readonly string[]): boolean {
  return (
    recipients.length < 2 ||
    recipients.reduce((sum, { length }) => sum + length + 3, 0) <= MAX_RECIPIENTS_LENGTH
  );
}

/** The domain that all recipients have in common, in lower case. */
export function commonDomain(recipients: readonly string[] = []): string | undefined {
  const domain = domainOf(recipients[0] ?? '');
  const isCommon = recipients.every((recipient) => domainOf(recipient) === domain);
  return isCommon ? domain || undefined : undefined;
}

/**
 * The address of the recipient, if there is one alone.
 * @returns undefined also for an address that was forgotten, which is empty, and for one that is
 * only a domain
 */
export function onlyAddress(recipients: readonly string[] = []): string | undefined {
  const address = recipients.length === 1 ? recipients[0] : undefined;
  return address === '' || address?.startsWith('@') ? undefined : address;
}
