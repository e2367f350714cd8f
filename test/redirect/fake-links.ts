import type { Click, ClickSink } from '../../src/click/click.ts';
import { hostName } from '../../src/lib/host-name.ts';
import {
  type LinkResolver,
  type ResolvedLink,
  StoreUnavailable,
} from '../../src/link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import type { BlockList, OptOuts, Retarget } from '../../src/store/store.ts';

export const DOMAIN = 'click.example.com:8080';

/** A token of the shortest kind, for a name of letters. */
export function tokenNamed(name: string): string {
  return `1${name.padEnd(23, '0')}`;
}

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
  return {
    link: { target: 'https://example.org/', part: 'html', ...link },
    message,
    ...(linkCount !== undefined && { linkCount }),
    isFor: (host) => hostName(host) === hostName(message.domain),
  };
}

/** Links in memory. Of the tokens named `away` the store is away, of those named `defect` it throws something else. */
export class FakeLinks implements LinkResolver, BlockList, OptOuts, ClickSink {
  readonly links = new Map<string, ResolvedLink>();
  readonly blocked = new Set<string>();
  readonly retargets = new Map<string, Retarget>();
  readonly clicks: Click[] = [];
  readonly heads: string[] = [];
  readonly optedOut = new Set<string>();
  keep: () => Promise<void> = () => Promise.resolve();

  /** Every token that was looked up. */
  readonly asked: string[] = [];

  async resolve(token: string) {
    this.asked.push(token);
    if (token === tokenNamed('away')) throw new StoreUnavailable('the store is away');
    if (token === tokenNamed('defect')) throw new TypeError('a defect');
    return this.links.get(token);
  }

  async find(token: string) {
    if (token === tokenNamed('unlisted')) throw new StoreUnavailable('the block list is away');
    if (this.blocked.has(token)) return { kind: 'token' as const, value: token };
    return this.retargets.get(token);
  }

  async hasAny(addresses: readonly string[]) {
    if (addresses.includes('unknown@x.example')) throw new StoreUnavailable('the list is away');
    return addresses.some((address) => this.optedOut.has(address));
  }

  async record(click: Click) {
    await this.keep();
    this.clicks.push(click);
  }

  headSeen(token: string) {
    this.heads.push(token);
  }
}
