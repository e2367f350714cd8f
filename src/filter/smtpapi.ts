import { isRecord, parseJson } from '../lib/values.ts';
import { decodedText } from '../message/header-fields.ts';
import {
  boundMetadata,
  boundNames,
  boundTags,
  isCampaignId,
  MAX_CAMPAIGN_ID_LENGTH,
  MAX_TAGS,
  type MessageFieldLimits,
} from '../scope/context-variables.ts';
import type { SmtpapiHeader } from '../scope/decide.ts';
import type { MacroLookup } from '../scope/facts.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** The name of the header field. */
export const SMTPAPI = 'x-msys-api';

/**
 * Bytes of a value, folds included, from which on it may be incomplete. Postfix gives milters the
 * first 60000 bytes of a field, up to the end of a line, and a line has at most 2048 bytes.
 */
const MAY_BE_CUT = 57_900;

/** A value that Momentum would not accept. The message follows the reply code. */
class Invalid extends Error {}

/** Whether the X-MSYS-API header of this client is honoured (`accept_x_msys_api`). */
export function isBelieved({ acceptXMsysApi }: TrackingOptions, macro: MacroLookup): boolean {
  if (acceptXMsysApi !== 'authenticated') return acceptXMsysApi === 'any';
  return Boolean(macro('auth_authen') || macro('auth_type'));
}

/**
 * Reads and validates the X-MSYS-API header fields of a message. Empty fields count as absent, and
 * so do members that are null. Of several fields, the topmost counts. Values over their limit are
 * left out with a problem: they are no reason to refuse mail. If the header was cut, the message is
 * not tracked, since the missing part may have said so.
 * @param values of the fields, with their folds, decoded as UTF-8
 * @returns the wishes of the sender, or the SMTP reply that rejects the message, in Momentum's
 * words where they are known
 */
export function parseSmtpapi(
  values: readonly string[],
  limits: MessageFieldLimits,
): { readonly header: SmtpapiHeader } | { readonly reject: string } {
  const value = values.find((text) => text.trim() !== '');
  if (value === undefined) return { header: {} };
  try {
    return { header: parseValue(value, limits) };
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    if (Buffer.byteLength(value) <= MAY_BE_CUT) return { reject: `550 5.6.0 ${error.message}` };
    const problem = `X-MSYS-API is ignored and the message not tracked: the header has over ${MAY_BE_CUT} bytes and was probably cut`;
    return { header: { clickTracking: false, problems: [problem] } };
  }
}

function parseValue(value: string, limits: MessageFieldLimits): SmtpapiHeader {
  const fields = fieldsOf(decodedText(value));
  const problems: string[] = [];
  const options = readOptions(fields);
  const clickTracking = booleanOf(options, 'click_tracking');
  const campaignId = readCampaignId(fields, problems);
  const metadata = readMetadata(fields, limits, problems);
  const tags = readTags(fields, problems);
  const notDone = namesNotDone(fields, options);
  return {
    ...(clickTracking !== undefined && { clickTracking }),
    ...(campaignId !== undefined && { campaignId }),
    ...(metadata && { metadata }),
    ...(tags && { tags }),
    ...(problems.length > 0 && { problems }),
    ...(notDone.length > 0 && { notDone }),
  };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  const value = parseJson(text);
  if (value === undefined) throw new Invalid('JSON parsing error in X-MSYS-API');
  if (!isRecord(value)) throw new Invalid("X-MSYS-API must be of type 'json object'");
  return value;
}

function readOptions(fields: Record<string, unknown>): Record<string, unknown> {
  const options = own(fields, 'options');
  if (options === undefined) return {};
  if (!isRecord(options)) throw wrongType('options', 'json object');
  booleanOf(options, 'open_tracking');
  return options;
}

function booleanOf(options: Record<string, unknown>, name: string): boolean | undefined {
  const value = own(options, name);
  if (value !== undefined && typeof value !== 'boolean') {
    throw wrongType(`options.${name}`, 'boolean');
  }
  return value;
}

function readCampaignId(fields: Record<string, unknown>, problems: string[]): string | undefined {
  const campaign = own(fields, 'campaign_id');
  if (campaign === undefined) return undefined;
  if (typeof campaign !== 'string') throw wrongType('campaign_id', 'string');
  if (isCampaignId(campaign)) return campaign === '' ? undefined : campaign;
  problems.push(leftOut('campaign_id', `at most ${MAX_CAMPAIGN_ID_LENGTH} bytes`));
  return undefined;
}

function readMetadata(
  fields: Record<string, unknown>,
  limits: MessageFieldLimits,
  problems: string[],
): Record<string, unknown> | undefined {
  const metadata = own(fields, 'metadata');
  if (metadata === undefined) return undefined;
  if (!isRecord(metadata)) throw wrongType('metadata', 'json object');
  const bounded = boundMetadata(metadata, limits);
  if (!bounded) {
    problems.push(leftOut('metadata', `at most ${limits.maxMetadataLen} bytes (max_metadata_len)`));
  }
  return bounded;
}

function readTags(
  fields: Record<string, unknown>,
  problems: string[],
): readonly string[] | undefined {
  const tags = own(fields, 'tags');
  if (tags === undefined) return undefined;
  if (!Array.isArray(tags)) throw wrongType('tags', 'json array');
  if (!tags.every((tag) => typeof tag === 'string')) {
    throw new Invalid("X-MSYS-API 'tags' must hold values of type 'string' only");
  }
  if (tags.length > MAX_TAGS) problems.push(leftOut('tags', `at most ${MAX_TAGS}`, 'partly '));
  return boundTags(tags);
}

/** The members that have no effect here, such as SparkPost's cc, archive or options.ip_pool. */
function namesNotDone(
  fields: Record<string, unknown>,
  options: Record<string, unknown>,
): readonly string[] {
  const isSet = ([, value]: [string, unknown]) => value !== null && value !== false;
  const names = [
    ...Object.entries(fields)
      .filter(isSet)
      .filter(([name]) => !['campaign_id', 'metadata', 'tags', 'options'].includes(name))
      .map(([name]) => name),
    ...Object.entries(options)
      .filter(isSet)
      .filter(([name]) => name !== 'click_tracking')
      .map(([name]) => `options.${name}`),
  ];
  return boundNames(names);
}

function leftOut(field: string, right: string, how = ''): string {
  return `X-MSYS-API ${field} is ${how}left out of click events: it must be ${right}`;
}

/** An own member of the object, never an inherited one. Null counts as absent. */
function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

function wrongType(field: string, type: string): Invalid {
  return new Invalid(`X-MSYS-API '${field}' must be of type '${type}'`);
}
