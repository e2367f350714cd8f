import { hash } from 'node:crypto';
import { isbot } from 'isbot';
import { type Address, formatAddress, maskAddress, parseAddress } from '../lib/address.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import type { AutomationReason } from '../link/facts.ts';
import type { Click } from './click.ts';
import { NetworkSet } from './networks.ts';

/** No person opens this many links of one mail within seconds. */
const MANY_LINKS = 5;
const REMEMBERED = 10_000;
/** Links remembered of one burst. A message with more links never has the reason `every_link`. */
const MAX_LINKS = 100;
/** One client has any number of addresses within a /64. */
const IPV6_CLIENT_BITS = 64;

/** The options of the `events` stanza that say what looks automatic, and what is automatic. */
export interface AutomationSettings {
  /**
   * The length of a burst, and of the time after the injection; 0 disables the signs of time.
   */
  readonly automaticWithinMs: number;
  /** The signs that make a click automatic. */
  readonly automaticWhen: readonly AutomationReason[];
  /** Networks of scanners, and `file:PATH` for files of them. */
  readonly automaticNetworks: readonly string[];
}

/** The settings that a reload changes. */
export type ReloadedSettings = Omit<AutomationSettings, 'automaticWithinMs'>;

/** What is known of a click's origin. */
export interface Verdict {
  /** The signs of automation that the click has. */
  readonly reasons: readonly AutomationReason[];
  /** Whether one of them makes it automatic. */
  readonly isAutomatic: boolean;
}

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
  #when: ReadonlySet<AutomationReason> = new Set();
  #networks = new NetworkSet([]);
  readonly #heads = new BoundedCache<string, true>(REMEMBERED);
  readonly #bursts = new BoundedCache<string, Burst>(REMEMBERED);
  readonly #agents = new BoundedCache<string, boolean>(REMEMBERED);

  /** @throws Error that says which network or file cannot be used */
  constructor(settings: AutomationSettings) {
    this.#withinMs = settings.automaticWithinMs;
    this.reload(settings);
  }

  /**
   * Takes over which signs make a click automatic, and reads the networks again.
   * @throws Error that says which network or file cannot be used; the old ones stay in use
   */
  reload({ automaticWhen, automaticNetworks }: ReloadedSettings): void {
    this.#networks = new NetworkSet(automaticNetworks);
    this.#when = new Set(automaticWhen);
  }

  headSeen(token: string): void {
    this.#heads.set(keyOf(token), true);
  }

  judge(click: Click): Verdict {
    const reasons = this.#reasonsFor(click);
    return { reasons, isAutomatic: reasons.some((reason) => this.#when.has(reason)) };
  }

  #reasonsFor(click: Click): AutomationReason[] {
    const reasons: AutomationReason[] = [];
    const link = keyOf(click.token);
    const address = click.ip === undefined ? undefined : parseAddress(click.ip);
    if (this.#isProgram(click.userAgent)) reasons.push('user_agent');
    if (click.isPrefetch) reasons.push('prefetch');
    if (address !== undefined && this.#networks.has(address)) reasons.push('network');
    const age = click.time - click.resolved.message.injectionTime * 1000;
    // A click before the injection only says that a clock is wrong.
    if (age >= 0 && age < this.#withinMs) reasons.push('soon_after_injection');
    const clicked = this.#clickedInBurst(click, address, link);
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
  #clickedInBurst({ time, resolved }: Click, address: Address | undefined, link: string): number {
    // Without an address, the clicks of all readers would be one burst.
    if (address === undefined) return 1;
    const key = `${resolved.message.messageId} ${clientOf(address)}`;
    const burst = this.#bursts.getOrMake(key, () => ({ since: time, links: new Set() }));
    if (time - burst.since >= this.#withinMs) {
      burst.since = time;
      burst.links.clear();
    }
    if (burst.links.size < MAX_LINKS) burst.links.add(link);
    return burst.links.size;
  }
}

/**
 * Stands for a link: its token, or a digest of a sealed token, which may have thousands of
 * characters.
 */
function keyOf(token: string): string {
  return token.length <= 40 ? token : hash('sha256', token, 'base64url').slice(0, 8);
}

/** The part of an address that identifies a client: all of IPv4, /64 of IPv6. */
function clientOf(address: Address): string {
  return formatAddress(address.length === 4 ? address : maskAddress(address, IPV6_CLIENT_BITS));
}
