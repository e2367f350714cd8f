import type { BlockList, Click, ClickSink } from '../../src/link/click.ts';
import {
  type LinkResolver,
  type ResolvedLink,
  StoreUnavailable,
} from '../../src/link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';

export const DOMAIN = 'click.example.com:8080';

/** A link of a message to one recipient, injected a minute ago. */
export function resolvedLink(
  link: Partial<TrackedLink> = {},
  facts: Partial<MessageFacts> = {},
  linkCount?: number,
): ResolvedLink {
  const now = Math.floor(Date.now() / 1000);
  const message: MessageFacts = {
    messageId: 'AAAAAAAAAAAAAAAA',
    injectionTime: now - 60,
    expires: now + 3600,
    domain: DOMAIN,
    recipients: ['Anna@Example.org'],
    ...facts,
  };
  const bare = (host: string) => host.replace(/:\d+$/, '');
  return {
    link: { target: 'https://example.org/', part: 'html', ...link },
    message,
    ...(linkCount !== undefined && { linkCount }),
    isFor: (host) => bare(host) === bare(message.domain),
  };
}

/** Links in memory; the token `away` is one whose store is away. */
export class FakeLinks implements LinkResolver, BlockList, ClickSink {
  readonly links = new Map<string, ResolvedLink>();
  readonly blocked = new Set<string>();
  readonly clicks: Click[] = [];
  readonly heads: string[] = [];
  keep: () => Promise<void> = () => Promise.resolve();

  async resolve(token: string) {
    if (token === 'away') throw new StoreUnavailable('the store is away');
    if (token === 'defect') throw new TypeError('a defect');
    return this.links.get(token);
  }

  async find(token: string) {
    if (token === 'unlisted') throw new StoreUnavailable('the block list is away');
    return this.blocked.has(token) ? { kind: 'token' as const, value: token } : undefined;
  }

  async record(click: Click) {
    await this.keep();
    this.clicks.push(click);
  }

  headSeen(token: string) {
    this.heads.push(token);
  }
}
