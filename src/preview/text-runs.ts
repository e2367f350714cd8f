import { hash } from 'node:crypto';

/*
 * A sanitised skeleton is text and tags by turns. Text that may not be shown becomes a run: blocks
 * of about its length.
 */

/** Characters of a skeleton. */
export const MAX_SKELETON = 256 * 1024;

const TAG = /(<[^<>]*>)/;
const BLOCK = '█';

/** Splits a sanitised skeleton: text at even indexes, a tag at each odd one. */
export function tokensOf(skeleton: string): string[] {
  return skeleton.split(TAG);
}

/**
 * A run in place of a text, with spaces at which a line may break. Its length is rounded up, so
 * that it tells little about the text.
 */
function runOf(length: number): string {
  const rounded = Math.min(512, 2 ** Math.ceil(Math.log2(Math.max(length, 4))));
  return BLOCK.repeat(rounded).replace(/.{8}(?=.)/gu, '$& ');
}

/** The length of a text, or the one that a run stands for. */
function lengthOf(text: string): number {
  return /^[█ ]+$/.test(text) ? text.replaceAll(' ', '').length : text.length;
}

/** Finds the runs in a text. */
export const RUNS = /█[█ ]*/g;

/** A skeleton whose text has runs in place of URLs, addresses, and codes, which may be tokens. */
export function withoutUrls(skeleton: string): string {
  return tokensOf(skeleton)
    .map((token, index) =>
      index % 2 === 1
        ? token
        : token
            .replace(/[^\s█]+/g, (word) => (isUrl(word) ? runOf(word.length) : word))
            .replace(/[\w-]{20,}/g, (code) => (/\d/.test(code) ? runOf(code.length) : code)),
    )
    .join('');
}

function isUrl(word: string): boolean {
  return word.includes('://') || word.includes('@') || /^\W*www\./i.test(word);
}

/** Attributes as the sanitiser writes them. */
const ATTRIBUTE = / ([a-z-]+)="([^"]*)"/g;

/** The place of a tracked link in a skeleton. */
export interface Place {
  readonly position: number;
  /** The digest of its name or target; absent where copies differ in it. */
  readonly label?: string;
}

/** Stands for the name or target of a link, of which reports have the first 300 characters. */
export function labelDigest(label: string): string {
  return hash('sha256', label.slice(0, 300), 'base64url').slice(0, 12);
}

/** The places of the links in a skeleton, or in one of its tags. */
export function placesOf(skeleton: string): Place[] {
  return Array.from(skeleton.matchAll(LINK), ([, position, label]) => ({
    position: Number(position),
    ...(label !== undefined && { label }),
  }));
}

const LINK = /<a(?= )[^<>]*? data-link="(\d{1,3})"(?: data-label="([\w-]{12})")?/g;

/** What copies of one newsletter share whatever they say: elements, and the places of links. */
export function structureOf(skeleton: string): string {
  return tokensOf(skeleton)
    .filter((_, index) => index % 2 === 1)
    .map(frameOf)
    .join('');
}

function frameOf(tag: string): string {
  const name = /^<\/?[a-z\d]+/.exec(tag)?.[0] ?? '';
  return name + (/ data-link="\d+"/.exec(tag)?.[0] ?? '');
}

/**
 * What two skeletons of the same structure have in common. Text that differs becomes a run, and an
 * attribute that differs goes: merging only takes away, in whatever order it is done.
 * @returns undefined where the structures differ
 */
export function merge(one: string, other: string): string | undefined {
  if (one === other) return one;
  const ours = tokensOf(one);
  const theirs = tokensOf(other);
  if (ours.length !== theirs.length) return undefined;
  const merged: string[] = [];
  for (const [index, token] of ours.entries()) {
    const counterpart = theirs[index] ?? '';
    if (token === counterpart) merged.push(token);
    else if (index % 2 === 0) merged.push(runOf(Math.max(lengthOf(token), lengthOf(counterpart))));
    else if (frameOf(token) === frameOf(counterpart)) merged.push(sharedTag(token, counterpart));
    else return undefined;
  }
  return merged.join('');
}

function sharedTag(one: string, other: string): string {
  const known = new Set(Array.from(other.matchAll(ATTRIBUTE), ([attribute]) => attribute));
  return one.replace(ATTRIBUTE, (attribute) => (known.has(attribute) ? attribute : ''));
}
