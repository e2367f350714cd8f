import type { Configuration } from '../config/configuration.ts';
import type { FilterSettings } from '../filter/options.ts';
import { DEFAULT_LIMITS } from '../message/reading-options.ts';

/**
 * The part of the configuration that the filter uses. It is not in links.ts, so that the redirect and the
 * commands for links do not load the parser of messages.
 */
export function filterSettings(config: Configuration): FilterSettings {
  const { scopes, macros, smtpapi, engagementTracker, milter } = config;
  const reading = {
    ...DEFAULT_LIMITS,
    bodySize: milter.maxMessageSize,
    parts: milter.maxParts,
    links: milter.maxLinks,
    growth: milter.maxGrowth,
  };
  const limits = {
    recipients: milter.maxRecipients,
    headerCount: milter.maxHeaderCount,
    headerBytes: milter.maxHeaderSize,
  };
  return { scopes, macros, smtpapi, engagementTracker, reading, limits };
}
