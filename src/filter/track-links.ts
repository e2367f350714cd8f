import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MessageFacts } from '../link/facts.ts';
import type { IssuedLinks, LinkIssuer } from '../link/link-store.ts';
import type { FoundLink } from '../message/link.ts';
import type { ReadMessage } from '../message/open-message.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** Links after which others get their turn: to seal so many takes some milliseconds. */
const AT_A_TIME = 300;

/**
 * Gives every link that may be tracked a token of this kind. `issued` is absent where there was none.
 * A sublink stands behind `/f/`, as in Momentum's links: that is the path which an app claims for itself.
 */
export async function trackLinks(
  read: ReadMessage,
  issuer: LinkIssuer,
  facts: MessageFacts,
  { clickTrackingScheme, trackingDomain }: TrackingOptions,
) {
  const base = `${clickTrackingScheme}://${trackingDomain}/`;
  let issued: IssuedLinks | undefined;
  const urls = new Map<FoundLink, string>();
  let taken = 0;
  for (const link of read.links) {
    const { target, part, name, sublink, reason } = link;
    if (reason !== undefined) continue;
    if (issuer.maxTarget !== undefined && target.length > issuer.maxTarget) continue;
    issued ??= issuer.issue(facts);
    const token = issued.token(name === undefined ? { target, part } : { target, part, name });
    if (token !== undefined) {
      urls.set(link, base + (sublink === undefined ? token : `f/${sublink}/${token}`));
    }
    if (++taken % AT_A_TIME === 0) await nextTurn();
  }
  const { body, links } = read.rewrite((link) => urls.get(link));
  return { body, links, issued, kind: issuer.kind };
}
