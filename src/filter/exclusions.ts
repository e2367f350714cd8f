import type { ReadingOptions } from '../message/open-message.ts';
import type { SkipReason } from '../message/skip-reasons.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** `exclude_domains` and `exclude_urls`, where there are any. */
export function exclusions({
  excludeDomains,
  excludeUrls,
}: TrackingOptions): Pick<ReadingOptions, 'exclude'> {
  if (excludeDomains.patterns.length === 0 && excludeUrls.patterns.length === 0) return {};
  const exclude = (target: string): SkipReason | undefined =>
    excludeUrls.matches(target) || excludeDomains.matches(hostOf(target)) ? 'excluded' : undefined;
  return { exclude };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
