import { parseJson } from '../../lib/values.ts';

/**
 * A count as earlier releases stored it, in the hash of a day. Its field is JSON of [metric,
 * campaign, pathway] in the hash by campaign and pathway, of [metric, campaign, link] in the hash
 * by link. The classes of its clicks are not known.
 */
export interface CountField {
  readonly metric: (typeof OLD_METRICS)[number];
  readonly campaign: string;
  /** Pathway or link. */
  readonly key: string;
}

const OLD_METRICS = ['messages', 'links', 'clicks', 'rawClicks', 'uniqueClicks'] as const;
/** Characters of the longest field: each of its texts has 300, and each of them may be escaped. */
const MAX_FIELD = 4000;

/** @returns undefined for a field that no release wrote */
export function parseField(field: string): CountField | undefined {
  if (field.length > MAX_FIELD) return undefined;
  const parts = parseJson(field);
  if (!Array.isArray(parts) || parts.length !== 3) return undefined;
  const [name, campaign, key] = parts as unknown[];
  const metric = OLD_METRICS.find((known) => known === name);
  if (metric === undefined || typeof campaign !== 'string' || typeof key !== 'string') {
    return undefined;
  }
  return { metric, campaign, key };
}

/**
 * The field of a table that names the portion added last, and how much of it was. No row has this
 * name: the names of rows have no control characters.
 */
export const LAST_PORTION = '\x01';

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

/** Whether Redis says that the value of a key has another type. */
export function isOfOtherType(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.startsWith('WRONGTYPE') || isOfOtherType(error.cause);
}
