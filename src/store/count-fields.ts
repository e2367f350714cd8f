import { hash } from 'node:crypto';

/** What is counted: messages and links sent; clicks, and those that were the first on their link or their message. */
export type Metric = 'messages' | 'links' | 'clicks' | 'rawClicks' | 'uniqueClicks';

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

/** Campaigns and links come from outside: what a field can hold has a limit. */
const MAX_TEXT = 300;

/** Where everything goes that comes after the most fields a day may have. */
export const OTHER = '(other)';

export function formatField({ metric, campaign, key }: CountField): string {
  return JSON.stringify([metric, campaign.slice(0, MAX_TEXT), key.slice(0, MAX_TEXT)]);
}

export function parseField(field: string): CountField {
  const [metric, campaign, key] = JSON.parse(field) as [Metric, string, string];
  return { metric, campaign, key };
}

/** A field's stand-in when its hash is full: the metric stays, campaign and key are no longer told apart. */
export function otherField(field: string): string {
  return formatField({ metric: parseField(field).metric, campaign: OTHER, key: OTHER });
}

/** A link within the clicks of its message: nine bytes, whatever its length. */
export function linkDigest(link: string): string {
  return hash('sha256', link, 'base64url').slice(0, 12);
}
