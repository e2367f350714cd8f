import type { TrackedLink } from '../../link/facts.ts';

/** Things under one key: a search examines all of them. */
const MAX_PER_KEY = 4;

/**
 * Remembers things about messages. A message with mostly the same links finds them. There are two generations; the older
 * one is dropped when the younger one is full.
 */
export class RecentByLinks<T> {
  readonly #most: number;
  #young = new Map<number, T[]>();
  #old = new Map<number, T[]>();
  #count = 0;

  /** @param most things per generation */
  constructor(most: number) {
    this.#most = most;
  }

  add(links: readonly TrackedLink[], thing: T): void {
    this.#grow();
    for (const key of keysOf(links)) {
      const others = this.#at(key)?.filter((other) => other !== thing) ?? [];
      this.#young.set(key, [thing, ...others].slice(0, MAX_PER_KEY));
    }
  }

  remove(links: readonly TrackedLink[], thing: T): void {
    for (const key of keysOf(links)) {
      const left = this.#at(key)?.filter((other) => other !== thing);
      if (left !== undefined) this.#young.set(key, left);
    }
  }

  /** @returns the first thing that passes the test */
  find(links: readonly TrackedLink[], test: (thing: T) => boolean): T | undefined {
    const seen: T[] = [];
    for (const key of keysOf(links)) {
      for (const thing of this.#at(key) ?? []) {
        if (seen.includes(thing)) continue;
        if (test(thing)) return thing;
        seen.push(thing);
      }
    }
    return undefined;
  }

  #at(key: number): T[] | undefined {
    const things = this.#young.get(key);
    if (things !== undefined) return things;
    const older = this.#old.get(key);
    if (older !== undefined) {
      this.#grow();
      this.#young.set(key, older);
    }
    return older;
  }

  #grow(): void {
    if (this.#count++ < this.#most) return;
    this.#count = 0;
    this.#old = this.#young;
    this.#young = new Map();
  }
}

/**
 * Three links stand for all, without their queries, which differ most often between instances. The keys are numbers,
 * because a part of a target would keep its whole message in memory; two targets may have the same number.
 */
function keysOf(links: readonly TrackedLink[]): number[] {
  const keys: number[] = [];
  for (const place of [links.length >> 1, links.length - 2, 1]) {
    const target = links[place]?.target;
    if (target === undefined) continue;
    const query = target.indexOf('?');
    const end = query === -1 ? target.length : query;
    let key = end;
    for (let at = end - 1; at > 0; at -= 2) key = (Math.imul(key, 31) + target.charCodeAt(at)) | 0;
    keys.push(key);
  }
  return keys;
}
