import type { ScopeTree } from '../scope/scope-tree.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** Where links are ours already, whichever scope made them. */
export function ownDomains(
  { trackingDomains }: ScopeTree,
  { trackingDomain }: TrackingOptions,
): ReadonlySet<string> {
  // A context variable of the MTA may name one that the configuration does not.
  return trackingDomains.has(trackingDomain)
    ? trackingDomains
    : new Set([...trackingDomains, trackingDomain]);
}
