import type { Matcher } from './pattern-matcher.ts';

/** The fate of a message when the link store is unavailable. */
type OnFailure = 'accept' | 'tempfail' | 'seal';

/** Vendors whose per-message headers may be honoured. */
export type Vendor = 'mailgun' | 'postmark' | 'sendgrid' | 'mandrill' | 'mailjet';

/** Whose X-MSYS-API headers are honoured; `authenticated` means that the MTA reports a login. */
type AcceptXMsysApi = 'authenticated' | 'any' | 'none';

/**
 * The options of the tracking scopes as the filter uses them, with defaults applied and patterns
 * compiled.
 */
export interface TrackingOptions {
  readonly clickTrackingEnabled: boolean;
  /** The parts whose links are tracked. */
  readonly clickTrackingParts: 'both' | 'html' | 'text';
  readonly clickTrackingScheme: 'http' | 'https';
  /**
   * In lower case, with its port if it has one. A decision has the domain of the sender filled in.
   */
  readonly trackingDomain: string;
  /** The values that `trackingDomain` may take where it depends on the sender. */
  readonly trackingDomainsAllowed: ReadonlySet<string>;
  /** Seconds. */
  readonly trackingLinkExpiry: number;
  readonly onFailure: OnFailure;
  readonly rewriteSigned: boolean;
  /** Matches the host of a target. */
  readonly excludeDomains: Matcher;
  /** Matches a whole target. */
  readonly excludeUrls: Matcher;
  /** CSS selectors. */
  readonly excludeSelectors: readonly string[];
  /** Whether links whose visible text is a URL are tracked. */
  readonly trackUrlText: boolean;
  /** Whether links with a placeholder outside the host are tracked. */
  readonly placeholders: 'leave' | 'track';
  /** How links with the mark data-msys-unsubscribe are treated. */
  readonly unsubscribeLinks: 'leave' | 'track';
  /** Parameters to add to targets at the redirect; empty for none. */
  readonly appendQuery: string;
  /** Matches the host of a target that gets none of them. */
  readonly excludeAppend: Matcher;
  /** `single`: only messages with one recipient are tracked. */
  readonly recipients: 'any' | 'single';
  /** Matches an envelope recipient without angle brackets. */
  readonly excludeRecipients: Matcher;
  readonly acceptXMsysApi: AcceptXMsysApi;
  /** Other vendors whose headers are honoured, of the senders of `acceptXMsysApi`. */
  readonly acceptHeaders: readonly Vendor[];
  /** How much of the recipient links, events, log and counts may hold. */
  readonly clickIdentity: 'recipient' | 'domain' | 'none';
  /** Whether skeletons of newsletters are kept, and for how many days after the last copy. */
  readonly preview: boolean;
  readonly previewDays: number;
  readonly dryRun: boolean;
  /** The context variables that the scope sets. */
  readonly context: ReadonlyMap<string, string>;
}
