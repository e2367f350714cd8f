/** Kinds remembered; beyond them all are forgotten, so that at worst one is admitted too early. */
const MAX_KINDS = 1000;

interface Kind {
  readonly since: number;
  heldBack: number;
}

/** Admits one occurrence of each kind per interval and counts the others. */
export class OncePerInterval {
  readonly #intervalMs: number;
  readonly #kinds = new Map<string, Kind>();

  constructor(intervalMs = 1000) {
    this.#intervalMs = intervalMs;
  }

  /** @returns how many occurrences were held back since the last admitted one; undefined where this one is held back */
  admit(kind: string): number | undefined {
    // The wall clock may jump.
    const now = performance.now();
    const known = this.#kinds.get(kind);
    if (known !== undefined && now - known.since < this.#intervalMs) {
      known.heldBack++;
      return undefined;
    }
    if (known === undefined && this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { since: now, heldBack: 0 });
    return known?.heldBack ?? 0;
  }
}
