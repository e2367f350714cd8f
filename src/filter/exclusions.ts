import type { ReadingOptions } from '../message/open-message.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** `exclude_domains` and `exclude_urls`, where there are any. */
export function exclusions({
  excludeDomains,
  excludeUrls,
}: TrackingOptions): Pick<ReadingOptions, 'exclude'> {
  if (excludeDomains.patterns.length === 0 && excludeUrls.patterns.length === 0) return {};
  return {
    exclude: (target, host) =>
      excludeUrls.matches(target) || excludeDomains.matches(host.replace(/:\d+$/, '')),
  };
}
