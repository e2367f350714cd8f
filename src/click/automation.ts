import { hash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { isbot } from 'isbot';
import { formatAddress, maskAddress, parseAddress } from '../lib/address.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { getOrMake } from '../lib/values.ts';
import type { AutomationReason } from '../link/automation-reasons.ts';
import { type Ending, MAX_BURST_LINKS } from '../store/events.ts';
import type { Click } from './click.ts';
import { signMembers } from './click-event.ts';
import { NetworkSet } from './networks.ts';

/** No person opens this many links of one mail within seconds. */
const MANY_LINKS = 5;
const REMEMBERED = 10_000;
const LINK_KEY_LENGTH = 8;
/** One client has any number of addresses within a /64. */
const IPV6_CLIENT_BITS = 64;
/** The signs that tell of a whole burst, and not of one click. */
const OF_BURSTS: readonly AutomationReason[] = ['every_link', 'many_links'];

/**
 * The options of the `events` stanza that say what looks automatic, and what is automatic.
 */
export interface AutomationSettings {
  /** The length of a burst, and of the time after the injection; 0 disables the signs of time. */
  readonly automaticWithinMs: number;
  /** The signs that make a click automatic. */
  readonly automaticWhen: readonly AutomationReason[];
  /** Networks of scanners, and `file:PATH` for files of them. */
  readonly automaticNetworks: readonly string[];
}

/** The settings that a reload changes. */
export type ReloadedSettings = Omit<AutomationSettings, 'automaticWithinMs'>;

/**
 * Looks for signs of automation. Some tell themselves from the click; others need what came before
 * it, which the store knows.
 */
export class AutomationSigns {
  readonly #withinMs: number;
  #when: ReadonlySet<AutomationReason> = new Set();
  #networks = new NetworkSet([]);
  readonly #agents = new BoundedCache<string, boolean>(REMEMBERED);
  /** By what they depend on. */
  readonly #endings = new Map<string, readonly Ending[]>();

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
    this.#endings.clear();
  }

  /** The endings of a click's event. What came before the click chooses one: the last that fits. */
  endingsFor(click: Click): readonly Ending[] {
    const own = this.#ownReasons(click);
    const { linkCount = 0 } = click.resolved;
    const all = linkCount > 1 && linkCount <= MAX_BURST_LINKS ? linkCount : 0;
    // There are few different ones.
    return getOrMake(this.#endings, `${own} ${all}`, () => this.#makeEndings(own, all));
  }

  #ownReasons(click: Click): readonly AutomationReason[] {
    const reasons: AutomationReason[] = [];
    if (this.#isProgram(click.userAgent)) reasons.push('user_agent');
    if (click.isPrefetch) reasons.push('prefetch');
    if (this.#isInNetworks(click.ip)) reasons.push('network');
    const age = click.time - click.resolved.message.injectionTime * 1000;
    // A click before the injection only says that a clock is wrong.
    if (age >= 0 && age < this.#withinMs) reasons.push('soon_after_injection');
    return reasons;
  }

  /** @param all how many links the message has; 0 where that says nothing */
  #makeEndings(own: readonly AutomationReason[], all: number): readonly Ending[] {
    const steps = [1, MANY_LINKS, ...(all > 0 ? [all] : [])].sort((a, b) => a - b);
    return [...new Set(steps)].flatMap((links) =>
      [false, true].map((headSeen): Ending => {
        const reasons = [...own];
        if (all > 0 && links >= all) reasons.push('every_link');
        if (links >= MANY_LINKS) reasons.push('many_links');
        if (headSeen) reasons.push('head_request');
        const deciding = reasons.filter((reason) => this.#when.has(reason));
        const isAutomatic = deciding.length > 0;
        const isBurst = deciding.some((reason) => OF_BURSTS.includes(reason));
        const kind = isBurst ? 'burst' : isAutomatic ? 'program' : 'person';
        const members = signMembers({ isAutomatic, automationReasons: reasons });
        return { links, headSeen, kind, members };
      }),
    );
  }

  #isInNetworks(ip: string | undefined): boolean {
    if (ip === undefined || this.#networks.isEmpty) return false;
    const address = parseAddress(ip);
    return address !== undefined && this.#networks.has(address);
  }

  #isProgram(userAgent: string | undefined): boolean {
    if (!userAgent) return true;
    // The pattern is long, and most clicks come from the same browsers.
    return this.#agents.getOrMake(userAgent, () => isbot(userAgent));
  }
}

/**
 * Stands for a link, which may have a token of thousands of characters: the end of a token is
 * random, and the links of a message differ there.
 */
export function linkKey(token: string): string {
  return token.slice(-LINK_KEY_LENGTH).padStart(LINK_KEY_LENGTH, '-');
}

/**
 * Stands for the message and the client of a click, which together make a burst; empty where the
 * client is not known, asks not to be, or may not be kept (`click_identity`).
 */
export function burstKey({ ip, isAnonymous, resolved }: Click): string {
  const { messageId, identity } = resolved.message;
  const isKept = ip !== undefined && !isAnonymous && identity !== 'none';
  const client = isKept ? clientOf(ip) : undefined;
  if (client === undefined) return '';
  return hash('sha256', `${messageId} ${client}`, 'base64url').slice(0, 16);
}

/** The part of an address that identifies a client: all of IPv4, /64 of IPv6. */
function clientOf(ip: string): string | undefined {
  // Most addresses are of this kind, which has one spelling.
  if (isIPv4(ip)) return ip;
  const address = parseAddress(ip);
  return (
    address &&
    formatAddress(address.length === 4 ? address : maskAddress(address, IPV6_CLIENT_BITS))
  );
}
