import { hash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { DAY_SECONDS } from '../lib/days.ts';
import { isRecord } from '../lib/values.ts';
import { MAX_SKELETON, merge, structureOf } from './text-runs.ts';

/** A version of the newsletter of a campaign: what all copies of one structure have in common. */
export interface PreviewVersion {
  /** Stands for the structure. */
  readonly id: string;
  readonly skeleton: string;
  /** When its first and its last copy were added, and when it expires: Unix seconds. */
  readonly since: number;
  readonly seen: number;
  readonly until: number;
}

/** The most versions of a campaign that are kept, and the most campaigns: senders name them. */
const MAX_VERSIONS = 5;
export const MAX_CAMPAIGNS = 1000;

function unixTime(): number {
  return Math.floor(Date.now() / 1000);
}

/** What stands for the structure of a skeleton. */
export function structureId(skeleton: string): string {
  return hash('sha256', structureOf(skeleton), 'base64url').slice(0, 12);
}

/**
 * Adds what copies have in common to the versions of a campaign.
 * @returns the versions, those seen last first
 */
function addSkeleton(
  versions: readonly PreviewVersion[],
  skeleton: string,
  days: number,
): PreviewVersion[] {
  const now = unixTime();
  const id = structureId(skeleton);
  const known = versions.find((version) => version.id === id);
  const added = {
    id,
    skeleton: (known && merge(known.skeleton, skeleton)) ?? skeleton,
    since: known?.since ?? now,
    seen: now,
    until: Math.max(known?.until ?? 0, now + days * DAY_SECONDS),
  };
  const others = versions.filter((version) => version.id !== id);
  return [added, ...others].slice(0, MAX_VERSIONS);
}

/** The first byte of a value. A change of format is another number. */
const FORMAT = 1;
/** Bytes of the longest value, also unpacked. */
export const MAX_BYTES = MAX_VERSIONS * (4 * MAX_SKELETON + 1000);

function encodeVersions(versions: readonly PreviewVersion[]): Buffer {
  return Buffer.concat([Buffer.of(FORMAT), deflateRawSync(JSON.stringify(versions))]);
}

/**
 * Adds what copies have in common to a value that encodeVersions wrote. A damaged one is replaced.
 * @returns the new value, and when it expires: Unix seconds
 */
export function addToValue(
  value: Buffer | undefined,
  skeleton: string,
  days: number,
): { readonly value: Buffer; readonly until: number } {
  let known: readonly PreviewVersion[] = [];
  try {
    if (value !== undefined) known = decodeVersions(value);
  } catch {
    // Its campaign would have no preview for ever.
  }
  const versions = addSkeleton(known, skeleton, days);
  return {
    value: encodeVersions(versions),
    until: Math.max(...versions.map(({ until }) => until)),
  };
}

/**
 * Reads what encodeVersions wrote, without what has expired. The skeletons are as they were kept:
 * `draw` sanitises them again.
 * @throws Error for a value that holds no versions
 */
export function decodeVersions(value: Buffer): PreviewVersion[] {
  if (value[0] !== FORMAT)
    throw new Error(`preview of format ${value[0] ?? 'none'}: expected ${FORMAT}`);
  const text = inflateRawSync(value.subarray(1), { maxOutputLength: MAX_BYTES }).toString();
  const versions: unknown = JSON.parse(text);
  if (!Array.isArray(versions) || versions.length > MAX_VERSIONS || !versions.every(isVersion)) {
    throw new Error('preview: not a list of versions');
  }
  const now = unixTime();
  return versions.filter(({ until }) => until > now);
}

function isVersion(value: unknown): value is PreviewVersion {
  if (!isRecord(value)) return false;
  const { id, skeleton, since, seen, until } = value;
  return (
    typeof id === 'string' &&
    /^[\w-]{12}$/.test(id) &&
    typeof skeleton === 'string' &&
    skeleton.length <= MAX_SKELETON &&
    [since, seen, until].every((time) => Number.isSafeInteger(time))
  );
}
