import { hash } from 'node:crypto';
import { countedText, OTHER_KEY } from '../counters.ts';

/** What is counted: messages and links sent; clicks, and those that were the first on their link or their message. */
export const METRICS = ['messages', 'links', 'clicks', 'rawClicks', 'uniqueClicks'] as const;
export type Metric = (typeof METRICS)[number];

/**
 * A field of a day's hash: JSON of [metric, campaign, pathway] in the hash by campaign and pathway, of
 * [metric, campaign, link] in the hash by link.
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
  let parts: unknown;
  try {
    parts = JSON.parse(field);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 3) return undefined;
  const [name, campaign, key] = parts as unknown[];
  const metric = METRICS.find((known) => known === name);
  if (metric === undefined || typeof campaign !== 'string' || typeof key !== 'string') {
    return undefined;
  }
  return { metric, campaign, key };
}

/** A field's stand-in when its hash is full: the metric stays, campaign and key are no longer told apart. */
export function otherField(field: string): string {
  const metric = parseField(field)?.metric ?? 'clicks';
  return formatField({ metric, campaign: OTHER_KEY, key: OTHER_KEY });
}

/** A link within the clicks of its message: nine bytes, whatever its length. */
export function linkDigest(link: string): string {
  return hash('sha256', link, 'base64url').slice(0, 12);
}
