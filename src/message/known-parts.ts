import { LRUCache } from 'lru-cache';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { needsWholeDocument } from './html-links.ts';
import { cutsOf } from './html-outline.ts';
import { InstanceReader, type KnownPart, type ReadInstance } from './instance-reader.ts';
import type { Range, TopPart } from './link.ts';
import type { Decoded } from './quoted-printable-decoder.ts';
import type { ReadingOptions } from './reading-options.ts';
import type { PartFound } from './top-parts.ts';

/*
 * The instances of a newsletter differ in a few places, and to decode and scan the rest of each
 * would be most of the work. So a part that was read is kept for a while. One in HTML is cut into
 * pieces that begin and end at line ends in text: outside of markup, what a piece means does not
 * depend on what stands before or behind it, so that equal bytes have equal links. Only the pieces
 * in which an instance differs are read. One in plain text is a single piece.
 */

/** Bytes of the longest part that is kept, and of all. A part counts once for each of its keys. */
const MAX_PART = 256 * 1024;
const MAX_KEPT = 8 * 1024 * 1024;
/** A rough size in bytes of the object of a link. */
const LINK_BYTES = 500;
const known = new LRUCache<number, KnownPart>({
  maxSize: MAX_KEPT,
  sizeCalculation: ({ raw, scanned }) => 2 * raw.length + LINK_BYTES * scanned.candidates.length,
});

/** How often a part with these keys was read as a whole: most mail comes once, and is not kept. */
const sights = new BoundedCache<number, number>(1000);

/** Whether the instances of a part might be recognised. */
export function mayBeKnown(found: PartFound, raw: Buffer, options: ReadingOptions): boolean {
  return (
    found.encoding === 'quoted-printable' &&
    raw.length <= MAX_PART &&
    (found.part === 'html' ? !needsWholeDocument(options) : !found.delSp)
  );
}

/**
 * Keeps a part that was read, if one like it was read before.
 */
export function keep(
  { part, charset: charsetLabel }: PartFound,
  raw: Buffer,
  { bytes, rawOf }: Decoded,
  { scanned, malformed, charset }: ReadInstance,
  options: ReadingOptions,
): void {
  const middle = middleLink(part, raw);
  if (middle === -1 || charset.masks || charset.unit !== 1) {
    return;
  }
  const keys = new Set(linksAround(part, raw, middle).map((at) => keyAt(raw, at)));
  let isDue = false;
  for (const key of keys) {
    const count = (sights.get(key) ?? 0) + 1;
    sights.set(key, count);
    // Parts that are too different from the one that is kept replace it, more and more seldom.
    isDue ||= count > 1 && (count & (count - 1)) === 0;
  }
  if (!isDue) {
    return;
  }
  const cuts = part === 'html' ? cutsOf(bytes) : [];
  if (cuts === undefined) {
    return;
  }
  const entry = {
    raw: Buffer.from(raw),
    cuts: [
      0,
      ...lineStarts(raw, rawOf(spaced(cuts).map((end) => ({ start: end - 1, end })))),
      raw.length,
    ],
    ...{
      scanned,
      part,
      malformed,
      charset,
      charsetLabel,
      unsubscribeLinks: options.unsubscribeLinks,
    },
  };
  for (const key of keys) {
    known.set(key, entry);
  }
}

/** Characters of the shortest piece. */
const MIN_PIECE = 128;

function spaced(cuts: readonly number[]): number[] {
  let last = 0;
  return cuts.filter((cut) => {
    const isFar = cut - last >= MIN_PIECE;
    if (isFar) {
      last = cut;
    }
    return isFar;
  });
}

/** A line feed that is encoded does not end a line. */
function lineStarts(raw: Buffer, lineFeeds: readonly Range[]): number[] {
  return lineFeeds.map(({ end }) => end).filter((end) => raw[end - 1] === LF);
}

const LF = 0x0a;

/** The signs that every link has. */
const SIGNS = { html: 'href', text: '://' };
const QUESTION = '?'.charCodeAt(0);
/** Bytes of a link that count at most. */
const KEY_BYTES = 80;

/**
 * A number for the link at an offset, by which the instances of a newsletter are recognised. A query
 * does not count, since it often differs. Two links may have the same number.
 */
function keyAt(raw: Buffer, start: number): number {
  let key = 0;
  const end = Math.min(start + KEY_BYTES, raw.length);
  for (let at = start; at < end && raw[at] !== QUESTION; at++) {
    key = (Math.imul(key, 31) + (raw[at] as number)) | 0;
  }
  return key;
}

/** The middle link of a part, or -1. */
function middleLink(part: TopPart, raw: Buffer): number {
  return raw.indexOf(SIGNS[part], raw.length >> 1, 'latin1');
}

/** The links that may be the middle ones of instances that are longer or shorter. */
function linksAround(part: TopPart, raw: Buffer, middle: number): number[] {
  const before = raw.lastIndexOf(SIGNS[part], middle - 1, 'latin1');
  const next = raw.indexOf(SIGNS[part], middle + 1, 'latin1');
  return [before, middle, next].filter((at) => at !== -1);
}

/**
 * Finds the links of a part that is much like one that is kept.
 *
 * @returns undefined where the part has to be read as a whole
 */
export function readKnown(
  { part, charset: label }: PartFound,
  raw: Buffer,
  options: ReadingOptions,
): ReadInstance | undefined {
  const middle = middleLink(part, raw);
  const of = middle === -1 ? undefined : known.get(keyAt(raw, middle));
  return of?.part === part &&
    of.charsetLabel === label &&
    of.unsubscribeLinks === options.unsubscribeLinks
    ? new InstanceReader(of, raw, options).read()
    : undefined;
}
