import type { OptionValue } from './option-value.ts';
import { domainMatcher, type Matcher, recipientMatcher, urlMatcher } from './pattern-matcher.ts';

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
  /** `single`: only messages with one recipient are tracked. */
  readonly recipients: 'any' | 'single';
  /** Of an envelope recipient without angle brackets. */
  readonly excludeRecipients: Matcher;
  readonly acceptXMsysApi: AcceptXMsysApi;
  readonly dryRun: boolean;
  /** The context variables the scope sets. */
  readonly context: ReadonlyMap<string, string>;
}

/** Reads them from values that config/ has checked against the definitions of the same names. */
export function readTrackingOptions(get: (option: string) => OptionValue): TrackingOptions {
  const flag = (option: string) => get(option) === true;
  const word = <T extends string>(option: string) => get(option) as T;
  const list = (option: string) => get(option) as readonly string[];
  return {
    clickTrackingEnabled: flag('click_tracking_enabled'),
    clickTrackingScheme: word('click_tracking_scheme'),
    trackingDomain: word('tracking_domain'),
    trackingLinkExpiry: Number(get('tracking_link_expiry')),
    onFailure: word('on_failure'),
    rewriteSigned: flag('rewrite_signed'),
    excludeDomains: domainMatcher(list('exclude_domains')),
    excludeUrls: urlMatcher(list('exclude_urls')),
    excludeSelectors: list('exclude_selectors'),
    trackUrlText: flag('track_url_text'),
    recipients: word('recipients'),
    excludeRecipients: recipientMatcher(list('exclude_recipients')),
    acceptXMsysApi: word('accept_x_msys_api'),
    dryRun: flag('dry_run'),
    context: get('context') as ReadonlyMap<string, string>,
  };
}
