import { asciiDomain, parseTrackingDomain } from '../lib/host-name.ts';

/** What `tracking_domain` may hold: the domain of the envelope sender. */
const PLACEHOLDER = '{sender_domain}';

/** Whether a tracking domain differs from sender to sender. */
export function hasSenderDomain(trackingDomain: string): boolean {
  return trackingDomain.includes(PLACEHOLDER);
}

/** Fills in the domain of a sender. @returns undefined if no valid tracking domain results */
export function withSenderDomain(template: string, senderDomain: string): string | undefined {
  if (senderDomain.includes(':')) return undefined; // no port from a sender
  return parseTrackingDomain(template.replaceAll(PLACEHOLDER, asciiDomain(senderDomain)));
}

/**
 * Parses a tracking domain that may hold `{sender_domain}`.
 * @returns undefined if no domain of a sender would make it valid
 */
export function parseDomainTemplate(text: string): string | undefined {
  if (!hasSenderDomain(text)) return parseTrackingDomain(text);
  const template = text.trim().toLowerCase();
  return withSenderDomain(template, 'example.com') && template;
}

/** Whether the template becomes this tracking domain for some sender. */
export function isMadeBy(template: string, trackingDomain: string): boolean {
  const [before = '', after = ''] = template.split(PLACEHOLDER, 2);
  const sender = trackingDomain.slice(before.length, trackingDomain.length - after.length);
  return sender !== '' && withSenderDomain(template, sender) === trackingDomain;
}
