import { hash } from 'node:crypto';
import { isbot } from 'isbot';
import { formatAddress, maskAddress, parseAddress } from '../lib/address.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { AUTOMATION_REASONS, type AutomationReason } from '../link/facts.ts';
import type { Click } from './click.ts';

/** No person opens this many links of one mail within seconds. */
const MANY_LINKS = 5;
const REMEMBERED = 10_000;
/** Links remembered of one burst. A message with more links never has the reason `every_link`. */
const MAX_LINKS = 100;
/** One client has any number of addresses within a /64. */
const IPV6_CLIENT_BITS = 64;

/** Links of one message that one client clicked within seconds. */
interface Burst {
  since: number;
  readonly links: Set<string>;
}

/**
 * Looks for signs of automation. Its memory is bounded, and holds the clicks of this process only.
 */
export class AutomationSigns {
  readonly #withinMs: number;
  readonly #heads = new BoundedCache<string, true>(REMEMBERED);
  readonly #bursts = new BoundedCache<string, Burst>(REMEMBERED);
  readonly #agents = new BoundedCache<string, boolean>(REMEMBERED);

  /**
   * @param withinMs the length of a burst, and of the time after the injection; 0 disables the
   * signs of time
   */
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
    // A click before the injection only says that a clock is wrong.
    if (age >= 0 && age < this.#withinMs) reasons.push('soon_after_injection');
    const clicked = this.#clickedInBurst(click, link);
    if (clicked > 1 && clicked === click.resolved.linkCount) reasons.push('every_link');
    if (clicked >= MANY_LINKS) reasons.push('many_links');
    if (this.#heads.get(link)) reasons.push('head_request');
    return reasons;
  }

  #isProgram(userAgent: string | undefined): boolean {
    if (!userAgent) return true;
    // The pattern is long, and most clicks come from the same browsers.
    return this.#agents.getOrMake(userAgent, () => isbot(userAgent));
  }

  /** How many links of the message the client has clicked in its current burst. */
  #clickedInBurst({ time, ip, resolved }: Click, link: string): number {
    const key = `${resolved.message.messageId} ${clientOf(ip ?? '')}`;
    const burst = this.#bursts.getOrMake(key, () => ({ since: time, links: new Set() }));
    if (time - burst.since >= this.#withinMs) {
      burst.since = time;
      burst.links.clear();
    }
    if (burst.links.size < MAX_LINKS) burst.links.add(link);
    return burst.links.size;
  }
}

/** Whether a click with these signs counts as a program's. */
export function isAutomatic(reasons: readonly AutomationReason[]): boolean {
  return reasons.some((reason) => AUTOMATION_REASONS[reason].decides);
}

/**
 * Stands for a link: its token, or a digest of a sealed token, which may have thousands of
 * characters.
 */
function keyOf(token: string): string {
  return token.length <= 40 ? token : hash('sha256', token, 'base64url').slice(0, 8);
}

/** The part of an address that identifies a client: all of IPv4, /64 of IPv6. */
function clientOf(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return text;
  return formatAddress(address.length === 4 ? address : maskAddress(address, IPV6_CLIENT_BITS));
}
