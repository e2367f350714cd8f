import { hash } from 'node:crypto';
import { isbot } from 'isbot';
import { BoundedCache } from '../lib/bounded-cache.ts';
import type { AutomationReason } from '../link/facts.ts';
import { clientOf } from './anonymize-ip.ts';
import type { Click } from './click.ts';

/** No person opens this many links of one mail within seconds. */
const MANY_LINKS = 5;
const REMEMBERED = 10_000;
/** What is remembered of one spree is bounded too; a message with more links than this has no `every_link`. */
const MAX_SPREE = 100;

/** Links of one message that one client followed. */
interface Spree {
  since: number;
  readonly links: Set<string>;
}

/** Looks for signs of automation; what it remembers is bounded, and of this process only. */
export class AutomationSigns {
  readonly #withinMs: number;
  readonly #heads = new BoundedCache<string, true>(REMEMBERED);
  readonly #sprees = new BoundedCache<string, Spree>(REMEMBERED);
  readonly #agents = new BoundedCache<string, boolean>(REMEMBERED);

  /** @param withinMs what counts as "within seconds"; 0 switches the signs of time off */
  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  headSeen(token: string): void {
    this.#heads.set(keyOf(token), true);
  }

  reasonsFor(click: Click): AutomationReason[] {
    const reasons: AutomationReason[] = [];
    const link = keyOf(click.token);
    if (this.#isProgram(click.userAgent)) reasons.push('user_agent');
    const age = click.time - click.resolved.message.injectionTime * 1000;
    // A click before the injection says that a clock is wrong, and nothing else.
    if (age >= 0 && age < this.#withinMs) reasons.push('soon_after_injection');
    const followed = this.#followedAtOnce(click, link);
    if (followed > 1 && followed === click.resolved.linkCount) reasons.push('every_link');
    if (followed >= MANY_LINKS) reasons.push('many_links');
    if (this.#heads.get(link)) reasons.push('head_request');
    return reasons;
  }

  #isProgram(userAgent: string | undefined): boolean {
    if (!userAgent) return true;
    // The pattern is long; the same browsers come again and again.
    return this.#agents.getOrMake(userAgent, () => isbot(userAgent));
  }

  /** How many links of the message this client has followed since its first click within the time. */
  #followedAtOnce({ time, ip, resolved }: Click, link: string): number {
    const key = `${resolved.message.messageId} ${clientOf(ip ?? '')}`;
    const spree = this.#sprees.get(key);
    if (spree === undefined) {
      this.#sprees.set(key, { since: time, links: new Set([link]) });
      return 1;
    }
    if (time - spree.since >= this.#withinMs) {
      spree.since = time;
      spree.links.clear();
    }
    if (spree.links.size < MAX_SPREE) spree.links.add(link);
    return spree.links.size;
  }
}

/** What stands for a link: its token, unless that is one of the sealed ones, which may have thousands of characters. */
function keyOf(token: string): string {
  return token.length <= 40 ? token : hash('sha256', token, 'base64url').slice(0, 8);
}
