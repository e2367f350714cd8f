/** What a sender may say of a message beyond whether it is tracked; absent fields were not given. */
export interface MessageFields {
  readonly campaignId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
}

export interface MessageFieldLimits {
  /** Bytes of the metadata's JSON; Momentum's `max_metadata_len`. */
  readonly maxMetadataLen: number;
}

/** Bytes of a campaign id (Momentum's x-msys-api-header page). */
export const maxCampaignIdLength = 64;
export const maxTags = 10;

export function isCampaignId(text: string): boolean {
  return Buffer.byteLength(text) <= maxCampaignIdLength;
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @returns the metadata without any `__proto__` key, which careless readers of the event would stumble
 * over; undefined where its JSON is longer than the limit
 */
export function boundMetadata(
  metadata: Record<string, unknown>,
  { maxMetadataLen }: MessageFieldLimits,
): Record<string, unknown> | undefined {
  try {
    const json = JSON.stringify(metadata);
    if (Buffer.byteLength(json) > maxMetadataLen) return undefined;
    if (!json.includes('"__proto__"')) return metadata;
    return JSON.parse(json, (key, value) => (key === '__proto__' ? undefined : value));
  } catch {
    return undefined; // nested so deeply that V8 gave up: far over any sensible limit
  }
}

/** The tags within the limit: those over it are ignored, as in Momentum. */
export function boundTags(tags: readonly string[]): readonly string[] {
  return tags.slice(0, maxTags);
}

/** Longest expiry of a link, in seconds: what a 32-bit counter holds, 68 years. */
export const maxLinkExpiry = 2 ** 31 - 1;
