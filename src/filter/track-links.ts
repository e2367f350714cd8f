import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IssuedLinks, LinkIssuer } from '../link/link-store.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import type { FoundLink, RewrittenLink } from '../message/link.ts';
import type { ReadMessage } from '../message/open-message.ts';
import type { ReadingLimits, ReadingOptions } from '../message/reading-options.ts';
import type { NewsletterCopy } from '../preview/copies.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** The reading options by the options they were made of, which the messages of a scope share. */
const made = new WeakMap<TrackingOptions, { limits: ReadingLimits; reading: ReadingOptions }>();

/** The options by which a message is read: which of its links may be tracked. */
export function readingOptions(
  limits: ReadingLimits,
  scopes: ScopeTree,
  options: TrackingOptions,
): ReadingOptions {
  const known = made.get(options);
  // Options belong to the scopes they come from.
  if (known?.limits === limits) return known.reading;
  const reading = makeReadingOptions(limits, scopes, options);
  made.set(options, { limits, reading });
  return reading;
}

function makeReadingOptions(
  limits: ReadingLimits,
  { trackingDomains }: ScopeTree,
  options: TrackingOptions,
): ReadingOptions {
  const { trackingDomain, excludeDomains, excludeUrls } = options;
  const isAnyExcluded = excludeDomains.patterns.length > 0 || excludeUrls.patterns.length > 0;
  return {
    ...options, // where the two have a name in common, they have it in the same sense
    limits,
    // A context variable of the MTA may name a domain that the configuration does not.
    ownDomains: trackingDomains.has(trackingDomain)
      ? trackingDomains
      : new Set([...trackingDomains, trackingDomain]),
    ...(isAnyExcluded && {
      exclude: (target, host) =>
        excludeUrls.matches(target) || excludeDomains.matches(host.replace(/:\d+$/, '')),
    }),
  };
}

/** A message whose links have tokens. */
export interface TrackedMessage {
  /** The new body, or undefined if no byte changes. */
  readonly body?: readonly Buffer[] | undefined;
  readonly links: readonly RewrittenLink[];
  /** The URL of each link that has a token, by its index in `links`; of links left alone, too. */
  readonly urls: readonly (string | undefined)[];
  /** The tokens, which lead nowhere before `commit`. Undefined if no link may be tracked. */
  readonly issued: IssuedLinks | undefined;
  readonly kind: 'stored' | 'sealed';
}

/** Links after which other messages get a turn: sealing so many takes some milliseconds. */
const LINKS_PER_TURN = 300;

/**
 * Issues a token for every link that may be tracked, and puts their URLs into the body. A sublink
 * follows `/f/`, as in Momentum's links: an app claims that path for itself.
 */
export async function trackLinks(
  read: ReadMessage,
  issuer: LinkIssuer,
  facts: MessageFacts,
  { clickTrackingScheme, trackingDomain, excludeAppend }: TrackingOptions,
): Promise<TrackedMessage> {
  const base = `${clickTrackingScheme}://${trackingDomain}/`;
  const isAnyExcluded = facts.appendQuery !== undefined && excludeAppend.patterns.length > 0;
  let issued: IssuedLinks | undefined;
  const urls: (string | undefined)[] = [];
  const urlOf = (link: FoundLink): string | undefined => {
    const { target, part, name, unsubscribe, sublink, reason } = link;
    if (reason !== undefined) return undefined;
    if (issuer.maxTarget !== undefined && target.length > issuer.maxTarget) return undefined;
    issued ??= issuer.issue(facts);
    const asWritten =
      (isAnyExcluded && excludeAppend.matches(new URL(target).hostname)) || undefined;
    const token = issued.token({ target, part, name, unsubscribe, asWritten });
    if (token === undefined) return undefined;
    return base + (sublink === undefined ? token : `f/${sublink}/${token}`);
  };
  for (const link of read.links) {
    if (urls.push(urlOf(link)) % LINKS_PER_TURN === 0) await nextTurn();
  }
  const { body, links } = read.rewrite((_, index) => urls[index]);
  return { body, links, urls, issued, kind: issuer.kind };
}

/**
 * The HTML part of a tracked message, with every href replaced. A link whose line would be too long
 * has a token and is not tracked: it keeps its place among the others, and nothing is clicked.
 */
export function htmlForPreview(
  read: ReadMessage,
  { urls, links }: TrackedMessage,
  hrefOf: Parameters<NewsletterCopy['html']>[0],
): string | undefined {
  let tokens = 0;
  // Clicks are counted by the place of a link among those that have a token.
  const positions = urls.map((url) => (url === undefined ? undefined : tokens++));
  return read.html(({ name, target }, index) => {
    const position = positions[index];
    const isTracked = position !== undefined && links[index]?.tracked === true;
    return hrefOf(isTracked ? { position, label: name ?? target } : undefined);
  });
}
