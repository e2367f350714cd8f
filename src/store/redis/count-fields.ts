import { hash } from 'node:crypto';
import { parseJson } from '../../lib/values.ts';
import { countedText, METRICS, type Metric, OTHER_KEY } from '../counting.ts';

/**
 * A field of a day's hash: JSON of [metric, campaign, pathway] in the hash by campaign and pathway,
 * of [metric, campaign, link] in the hash by link.
 */
export interface CountField {
  readonly metric: Metric;
  readonly campaign: string;
  /** Pathway or link. */
  readonly key: string;
}

/** Characters of the longest field: each of its texts has 300, and each of them may be escaped. */
const MAX_FIELD = 4000;

export function formatField({ metric, campaign, key }: CountField): string {
  return JSON.stringify([metric, countedText(campaign), countedText(key)]);
}

/** @returns undefined for a field that formatField did not make */
export function parseField(field: string): CountField | undefined {
  if (field.length > MAX_FIELD) return undefined;
  const parts = parseJson(field);
  if (!Array.isArray(parts) || parts.length !== 3) return undefined;
  const [name, campaign, key] = parts as unknown[];
  const metric = METRICS.find((known) => known === name);
  if (metric === undefined || typeof campaign !== 'string' || typeof key !== 'string') {
    return undefined;
  }
  return { metric, campaign, key };
}

/**
 * The field that counts in place of another when the hash is full: of the same metric, without
 * campaign and key.
 */
export function otherField(field: string): string {
  const metric = parseField(field)?.metric ?? 'clicks';
  return formatField({ metric, campaign: OTHER_KEY, key: OTHER_KEY });
}

/**
 * Stands for a link within the clicks of its message: nine bytes, whatever the length of the link.
 */
export function linkDigest(link: string): string {
  return hash('sha256', link, 'base64url').slice(0, 12);
}

export const FOREIGN = 'a foreign value stands where counts should';
/**
 * The beginning of a script: `foreign` recognizes the error of a foreign value, which will not go
 * away, so that scripts pass over the value. Any other error, such as a full memory, ends a script.
 */
export const IS_FOREIGN = `
local function foreign(reply)
  if type(reply) ~= 'table' or not reply.err then return false end
  local e = reply.err
  return e:find('WRONGTYPE') or e:find('not an integer') or e:find('overflow')
end`;
