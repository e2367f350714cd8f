import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { newMessageId } from '../../src/link/message-id.ts';

/** A message with every fact known, injected now. */
export function exampleMessage(facts: Partial<MessageFacts> = {}): MessageFacts {
  const now = Math.floor(Date.now() / 1000);
  return {
    messageId: newMessageId(),
    queueId: '4bXyZ01abcz9',
    injectionTime: now,
    expires: now + 31_536_000,
    domain: 'click.example.com',
    sender: 'bounce-4711@mail.shop.example',
    recipients: ['Someone@example.org'],
    friendlyFrom: '"Shop" <news@shop.example>',
    subject: 'Our best offers of the autumn – only today',
    size: 40_213,
    campaignId: 'autumn-2026',
    metadata: { user: 4711, plan: 'gold' },
    tags: ['weekly', 'de'],
    pathway: 'newsletters',
    ...facts,
  };
}

export const exampleLinks: readonly TrackedLink[] = [
  { target: 'https://www.shop.example/', part: 'text' },
  { target: 'http://shop.example/a%20b/C?x=1&amp;y=%2F+%zz#Frag', part: 'text' },
  { target: 'https://www.shop.example/', part: 'html', name: 'Logo' },
  {
    target: 'https://shop.example/~it\'s,(fine);*:@/..//./?q=<>&"',
    part: 'html',
    name: 'Ähnliches "Angebot"',
  },
  { target: `https://shop.example/${'long/'.repeat(300)}`, part: 'html' },
  { target: 'HTTP://[2001:db8::1]:8080/Path', part: 'html' },
];
