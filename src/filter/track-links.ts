import type { IssuedLinks, LinkIssuer } from '../link/link-store.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import type { ReadMessage } from '../message/open-message.ts';
import type { FoundLink } from '../message/outcome.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** Gives every link that may be tracked a token of this kind. `issued` is absent where there was none. */
export function trackLinks(
  read: ReadMessage,
  issuer: LinkIssuer,
  facts: MessageFacts,
  { clickTrackingScheme, trackingDomain }: TrackingOptions,
) {
  const base = `${clickTrackingScheme}://${trackingDomain}/`;
  let issued: IssuedLinks | undefined;
  const { body, links } = read.rewrite(({ target, part, name, sublink }: FoundLink) => {
    if (issuer.maxTarget !== undefined && target.length > issuer.maxTarget) return undefined;
    issued ??= issuer.issue(facts);
    const token = issued.token(name === undefined ? { target, part } : { target, part, name });
    return base + (sublink === undefined ? token : `${sublink}/${token}`);
  });
  return { body, links, issued, kind: issuer.kind };
}
