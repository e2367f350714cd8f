import { BoundedCache } from '../../lib/bounded-cache.ts';
import type { TrackedLink } from '../../link/message-facts.ts';

/** Things under one key: a search examines all of them. */
const MAX_PER_KEY = 4;
/** See `keysOf`. */
const KEYS_PER_MESSAGE = 3;

/** Remembers things about messages. A message with mostly the same links finds them. */
export class RecentByLinks<T> {
  readonly #things: BoundedCache<number, readonly T[]>;

  /** @param most things that are remembered at least */
  constructor(most: number) {
    this.#things = new BoundedCache(KEYS_PER_MESSAGE * most);
  }

  add(links: readonly TrackedLink[], thing: T): void {
    for (const key of keysOf(links)) {
      const others = this.#things.get(key)?.filter((other) => other !== thing) ?? [];
      this.#things.set(key, [thing, ...others].slice(0, MAX_PER_KEY));
    }
  }

  remove(links: readonly TrackedLink[], thing: T): void {
    for (const key of keysOf(links)) {
      const left = this.#things.get(key)?.filter((other) => other !== thing);
      if (left !== undefined) this.#things.set(key, left);
    }
  }

  /** @returns the first thing that passes the test */
  find(links: readonly TrackedLink[], test: (thing: T) => boolean): T | undefined {
    const seen: T[] = [];
    for (const key of keysOf(links)) {
      for (const thing of this.#things.get(key) ?? []) {
        if (seen.includes(thing)) continue;
        if (test(thing)) return thing;
        seen.push(thing);
      }
    }
    return undefined;
  }
}

/**
 * Three links stand for all, without their queries, which differ most often between instances. The
 * keys are numbers, because a part of a target would keep its whole message in memory; two targets
 * may have the same number.
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
