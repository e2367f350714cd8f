import type { Configuration } from './configuration.ts';

/**
 * The configuration in use after a reload: what can change while the service runs is the new one's, and all else,
 * which was opened or agreed upon at the start, stays as it was.
 */
export function reloaded(started: Configuration, next: Configuration): Configuration {
  const { scopes, smtpapi, engagementTracker, log } = next;
  const { level, detail } = log;
  return { ...started, scopes, smtpapi, engagementTracker, log: { ...started.log, level, detail } };
}
