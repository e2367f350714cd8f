import type { LeftAlone } from '../message/outcome.ts';
import type { ReadingOptions } from '../message/reading-options.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** `exclude_domains` and `exclude_urls`, where there are any. */
export function exclusions({
  excludeDomains,
  excludeUrls,
}: TrackingOptions): Pick<ReadingOptions, 'exclude'> {
  if (excludeDomains.patterns.length === 0 && excludeUrls.patterns.length === 0) return {};
  const exclude = (target: string): LeftAlone | undefined =>
    excludeUrls.matches(target) || excludeDomains.matches(hostOf(target)) ? 'excluded' : undefined;
  return { exclude };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
