import type { Match } from './match.ts';
import type { Effective, OptionValue } from './option-value.ts';
import type { TrackingOptions } from './tracking-options.ts';

/** Context variables that decide something; the MTA may send macros of these names. */
export const contextVariables = [
  'smtpapi_click_tracking',
  'smtpapi_click_tracking_scheme',
  'smtpapi_tracking_domain',
  'smtpapi_tracking_link_expiry',
  'smtpapi_open_tracking',
  'smtpapi_open_tracking_scheme',
  'smtpapi_campaign_id',
  'smtpapi_metadata',
  'smtpapi_tags',
  'pathway',
] as const;

/** What a believed X-MSYS-API header asked for; absent fields were not given. */
export interface SmtpapiHeader {
  readonly clickTracking?: boolean;
  readonly openTracking?: boolean;
  readonly campaignId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
}

/** A value and what decided it. */
export interface Reason {
  readonly value: OptionValue;
  /** The context variable or the configuration that decided; `header` is X-MSYS-API. */
  readonly from:
    | { readonly kind: 'macro'; readonly name: string }
    | { readonly kind: 'context'; readonly name: string; readonly setting: Effective }
    | { readonly kind: 'header'; readonly field: string }
    | { readonly kind: 'configuration'; readonly setting: Effective };
}

/** How one message is to be tracked: context variable, then X-MSYS-API, then configuration. */
export interface Decision {
  /** With the pathway a context variable may have named. */
  readonly match: Match;
  readonly options: TrackingOptions;
  readonly campaignId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  /** Context variables that were ignored because their value is not valid, as sentences for the log. */
  readonly problems: readonly string[];
  /** Why each option, and each of campaign_id, metadata and tags where given, has its value. */
  reasons(): ReadonlyMap<string, Reason>;
}

/**
 * Decides for one message. Without header and macros it is the same object for every message of a match.
 * @param macros the MTA's macros that are named like a context variable, without braces
 */
export function decide(
  _match: Match,
  _header?: SmtpapiHeader,
  _macros?: ReadonlyMap<string, string>,
): Decision {
  throw new Error('not yet');
}
