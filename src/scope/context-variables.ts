import { parseTrackingDomain } from '../lib/host-name.ts';
import { isRecord, parseBoolean, parseChoice, parseJson, parseWholeNumber } from '../lib/values.ts';
import type { MacroLookup } from './facts.ts';
import type { TrackingOptions } from './tracking-options.ts';

/** Fields that a sender may set for a message. */
export interface MessageFields {
  readonly campaignId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly customerId?: string;
}

export interface MessageFieldLimits {
  /** Bytes of the metadata's JSON; Momentum's `max_metadata_len`. */
  readonly maxMetadataLen: number;
}

/** Bytes of a campaign id (Momentum's x-msys-api-header page). */
export const MAX_CAMPAIGN_ID_LENGTH = 64;
const MAX_CUSTOMER_ID_LENGTH = 64;
export const MAX_TAGS = 10;

export function isCampaignId(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_CAMPAIGN_ID_LENGTH;
}

function isCustomerId(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_CUSTOMER_ID_LENGTH && !/\p{Cc}/u.test(text);
}

/**
 * Checks metadata against the limit.
 * @returns the metadata without any `__proto__` key, which could harm readers of the event;
 * undefined if its JSON is too long
 */
export function boundMetadata(
  metadata: Readonly<Record<string, unknown>>,
  { maxMetadataLen }: MessageFieldLimits,
): Readonly<Record<string, unknown>> | undefined {
  try {
    const json = JSON.stringify(metadata);
    if (Buffer.byteLength(json) > maxMetadataLen) return undefined;
    if (!json.includes('"__proto__"')) return metadata;
    return JSON.parse(json, (key, value) => (key === '__proto__' ? undefined : value));
  } catch {
    return undefined; // nested too deeply for V8, hence far over the limit
  }
}

/** The first tags up to the limit. As in Momentum, further tags are ignored. */
export function boundTags(tags: readonly string[]): readonly string[] {
  return tags.slice(0, MAX_TAGS);
}

/** Names of fields without effect, as a log line has them: at most 20, each of up to 40 characters. */
export function boundNames(names: readonly string[]): readonly string[] {
  return names.slice(0, 20).map((name) => name.slice(0, 40));
}

/** The longest expiry of a link in seconds: 68 years, the maximum of a 32-bit counter. */
export const MAX_LINK_EXPIRY = 2 ** 31 - 1;

export interface ContextVariable {
  /** Momentum's name of the variable. */
  readonly name: string;
  /** @returns undefined for an invalid text */
  parse(text: string, limits: MessageFieldLimits): unknown;
  /** Describes valid values; follows "must be". */
  readonly expected: string;
  /** The variable sets an option of the message's scopes, or a field of the message. */
  readonly option?: keyof TrackingOptions;
  readonly field?: keyof MessageFields;
}

/** The context variables, which are strings, with their parsers, by the value that they set. */
export const contextVariables = {
  click_tracking_enabled: {
    name: 'smtpapi_click_tracking',
    parse: parseBoolean,
    expected: '"1", "0", "true" or "false"',
    option: 'clickTrackingEnabled',
  },
  click_tracking_scheme: {
    name: 'smtpapi_click_tracking_scheme',
    parse: (text: string) => parseChoice(['http', 'https'], text),
    expected: '"http" or "https"',
    option: 'clickTrackingScheme',
  },
  tracking_domain: {
    name: 'smtpapi_tracking_domain',
    parse: parseTrackingDomain,
    expected: 'a host name, with or without a port',
    option: 'trackingDomain',
  },
  tracking_link_expiry: {
    name: 'smtpapi_tracking_link_expiry',
    parse: (text: string) => parseWholeNumber(text, 1, MAX_LINK_EXPIRY),
    expected: `a number of seconds from 1 to ${MAX_LINK_EXPIRY}`,
    option: 'trackingLinkExpiry',
  },
  campaign_id: {
    name: 'smtpapi_campaign_id',
    parse: (text: string) => (isCampaignId(text) ? text : undefined),
    expected: `at most ${MAX_CAMPAIGN_ID_LENGTH} bytes`,
    field: 'campaignId',
  },
  metadata: {
    name: 'smtpapi_metadata',
    parse: (text: string, limits: MessageFieldLimits) => {
      const value = parseJson(text);
      return isRecord(value) ? boundMetadata(value, limits) : undefined;
    },
    expected: 'a JSON object of at most max_metadata_len bytes',
    field: 'metadata',
  },
  tags: {
    name: 'smtpapi_tags',
    parse: (text: string) => {
      const value = parseJson(text);
      return Array.isArray(value) && value.every((tag) => typeof tag === 'string')
        ? boundTags(value)
        : undefined;
    },
    expected: 'a JSON array of strings',
    field: 'tags',
  },
  customer_id: {
    name: 'mo_customer_id',
    parse: (text: string) => (isCustomerId(text) ? text : undefined),
    expected: `at most ${MAX_CUSTOMER_ID_LENGTH} bytes without control characters`,
    field: 'customerId',
  },
} satisfies Readonly<Record<string, ContextVariable>>;

/** The names of all context variables, which are the macros to ask the MTA for. */
export const contextVariableNames: readonly string[] = [
  ...Object.values(contextVariables).map(({ name }) => name),
  'pathway',
];

/** Reads the context variables that the MTA sent as macros. @returns undefined if it sent none */
export function readContextVariables(macro: MacroLookup): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  for (const name of contextVariableNames) {
    const value = macro(name);
    if (value === undefined) continue;
    found ??= new Map();
    found.set(name, value);
  }
  return found;
}
