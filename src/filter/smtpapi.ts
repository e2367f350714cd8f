import { decodeEncodedWords } from '../message/encoded-words.ts';
import type { SmtpapiHeader } from '../scope/decide.ts';
import {
  boundMetadata,
  boundTags,
  isCampaignId,
  isJsonObject,
  type MessageFieldLimits,
  maxCampaignIdLength,
} from '../scope/message-fields.ts';

/**
 * Bytes of a header value, folds included. Of a field of more than 60000 bytes Postfix gives milters the beginning, up to
 * there or to the end of the line before (a line has at most 2048): it would be called no JSON instead of too long.
 */
const maxHeaderLength = 57_900;

/** A value that Momentum would not accept; the message is what follows the reply code. */
class Invalid extends Error {}

/**
 * Reads and validates the values of a message's X-MSYS-API headers (folds included, UTF-8 decoded).
 * Empty ones count as absent; of several the first, which is the one nearest to the top, counts.
 * A field that is null counts as absent, and an unknown field is ignored.
 * @returns what they ask for, or the reply the message is rejected with (Momentum's wording where it is known)
 */
export function parseSmtpapi(
  values: readonly string[],
  limits: MessageFieldLimits,
): { readonly header: SmtpapiHeader } | { readonly reject: string } {
  try {
    const value = values.find((text) => text.trim() !== '');
    return { header: value === undefined ? {} : parseValue(value, limits) };
  } catch (error) {
    if (error instanceof Invalid) return { reject: `550 5.6.0 ${error.message}` };
    throw error;
  }
}

function parseValue(value: string, limits: MessageFieldLimits): SmtpapiHeader {
  if (Buffer.byteLength(value) > maxHeaderLength) {
    throw new Invalid(`X-MSYS-API header is limited to ${maxHeaderLength} bytes`);
  }
  const fields = parseJson(decodeEncodedWords(unfold(value)));
  const clickTracking = readOptions(fields);
  const campaignId = readCampaignId(fields);
  const metadata = readMetadata(fields, limits);
  const tags = readTags(fields);
  return {
    ...(clickTracking !== undefined && { clickTracking }),
    ...(campaignId !== undefined && { campaignId }),
    ...(metadata && { metadata }),
    ...(tags && { tags }),
  };
}

/** Momentum leaves one space for each fold, also inside strings. */
function unfold(value: string): string {
  return value.replace(/\r?\n[ \t]*/g, ' ').trim();
}

function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Invalid('JSON parsing error in X-MSYS-API');
  }
  if (!isJsonObject(value)) throw new Invalid("X-MSYS-API must be of type 'json object'");
  return value;
}

function readOptions(fields: Record<string, unknown>): boolean | undefined {
  const options = own(fields, 'options');
  if (options === undefined) return undefined;
  if (!isJsonObject(options)) throw wrongType('options', 'json object');
  const [clickTracking] = ['click_tracking', 'open_tracking'].map((name) => {
    const value = own(options, name);
    if (value !== undefined && typeof value !== 'boolean') {
      throw wrongType(`options.${name}`, 'boolean');
    }
    return value;
  });
  return clickTracking;
}

function readCampaignId(fields: Record<string, unknown>): string | undefined {
  const campaign = own(fields, 'campaign_id');
  if (campaign === undefined) return undefined;
  if (typeof campaign !== 'string') throw wrongType('campaign_id', 'string');
  if (!isCampaignId(campaign)) {
    throw new Invalid(`smtpapi_campaign_id context is limited to ${maxCampaignIdLength} bytes`);
  }
  return campaign === '' ? undefined : campaign;
}

function readMetadata(
  fields: Record<string, unknown>,
  limits: MessageFieldLimits,
): Record<string, unknown> | undefined {
  const metadata = own(fields, 'metadata');
  if (metadata === undefined) return undefined;
  if (!isJsonObject(metadata)) throw wrongType('metadata', 'json object');
  const bounded = boundMetadata(metadata, limits);
  if (!bounded) {
    throw new Invalid(`smtpapi_metadata context is limited to ${limits.maxMetadataLen} bytes`);
  }
  return bounded;
}

function readTags(fields: Record<string, unknown>): readonly string[] | undefined {
  const tags = own(fields, 'tags');
  if (tags === undefined) return undefined;
  if (!Array.isArray(tags)) throw wrongType('tags', 'json array');
  if (!tags.every((tag) => typeof tag === 'string')) {
    throw new Invalid("X-MSYS-API 'tags' must hold values of type 'string' only");
  }
  return boundTags(tags);
}

/** A field of the object itself, never one it inherits; null is absent. */
function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

function wrongType(field: string, type: string): Invalid {
  return new Invalid(`X-MSYS-API '${field}' must be of type '${type}'`);
}
