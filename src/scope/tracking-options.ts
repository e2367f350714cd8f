import type { Matcher } from './pattern-matcher.ts';

/** What to do with a message when the link store is away. */
export type OnFailure = 'accept' | 'tempfail' | 'seal';

/** Whose X-MSYS-API header is believed: `authenticated` where the MTA reports a login. */
export type AcceptXMsysApi = 'authenticated' | 'any' | 'none';

/** The options of the tracking scopes as the filter uses them: typed, defaults applied, patterns compiled. */
export interface TrackingOptions {
  readonly clickTrackingEnabled: boolean;
  readonly clickTrackingScheme: 'http' | 'https';
  /** Lower case, with its port where it has one. */
  readonly trackingDomain: string;
  /** Seconds. */
  readonly trackingLinkExpiry: number;
  readonly onFailure: OnFailure;
  readonly rewriteSigned: boolean;
  /** Of the host of a target. */
  readonly excludeDomains: Matcher;
  /** Of a whole target. */
  readonly excludeUrls: Matcher;
  /** CSS selectors. */
  readonly excludeSelectors: readonly string[];
  /** Whether links whose visible text is itself a URL are tracked. */
  readonly trackUrlText: boolean;
  /** What becomes of links with a placeholder outside of the host. */
  readonly placeholders: 'leave' | 'track';
  /** `single`: only messages with one recipient are tracked. */
  readonly recipients: 'any' | 'single';
  /** Of an envelope recipient without angle brackets. */
  readonly excludeRecipients: Matcher;
  readonly acceptXMsysApi: AcceptXMsysApi;
  readonly dryRun: boolean;
  /** The context variables the scope sets. */
  readonly context: ReadonlyMap<string, string>;
}
