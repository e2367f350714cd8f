import type { Click } from '../../src/click/click.ts';
import {
  ClickEventWriter,
  EVENT_ENDING,
  type EventNode,
  signMembers,
} from '../../src/click/click-event.ts';
import type { ClickEvent, SignFacts } from '../../src/link/click-facts.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';

const FACTS: MessageFacts = {
  messageId: 'Zm9vYmFyYmF6cXV4',
  queueId: '4XyZ123abc',
  injectionTime: 1_790_000_000,
  expires: 1_821_536_000,
  domain: 'click.example.com',
  sender: 'bounce@example.com',
  recipients: ['Anna.Smith@Example.ORG'],
  friendlyFrom: '"News" <news@example.com>',
  subject: 'Grüße from März',
  size: 20480,
  campaignId: 'spring',
  metadata: { customer: 7, nested: { deep: true } },
  tags: ['a', 'b'],
  pathway: 'newsletters',
};

/** A click by a person, a day after the injection. */
export function exampleClick(
  click: Partial<Click> = {},
  facts: Partial<MessageFacts> = {},
  link: Partial<TrackedLink> = {},
): Click {
  return {
    token: 'token',
    resolved: {
      link: { target: 'https://example.org/offer?id=1', part: 'html', ...link },
      message: { ...FACTS, ...facts },
      isFor: () => true,
    },
    time: 1_790_086_400_123,
    ip: '203.0.113.77',
    userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
    acceptLanguage: 'de-DE,de;q=0.8',
    ...click,
  };
}

/** The least that is known: a sealed link, an address not to be kept. */
export function bareClick(): Click {
  return {
    token: 'sealed',
    resolved: {
      link: { target: 'http://example.org', part: 'text' },
      message: {
        messageId: 'AAAAAAAAAAAAAAAA',
        injectionTime: 1_790_000_000,
        expires: 1_821_536_000,
        domain: 'click.example.com',
        recipients: [],
      },
      isFor: () => true,
    },
    time: 1_790_086_400_000,
  };
}

/** The line of an event, with the signs of a click that nothing came before. */
export function eventLine(
  writer: ClickEventWriter,
  click: Click,
  eventId: string,
  count = 1,
  signs: SignFacts = { isAutomatic: false, automationReasons: [] },
): string {
  return writer.start(click, eventId, count) + signMembers(signs) + EVENT_ENDING.end;
}

/** An event as its readers see it. */
export function toClickEvent(
  click: Click,
  node: EventNode,
  ...others: [eventId: string, count?: number, signs?: SignFacts]
): ClickEvent {
  return JSON.parse(eventLine(new ClickEventWriter(node), click, ...others)) as ClickEvent;
}
