/** Longer names are none of ours. */
const MAX_LENGTH = 31;

/** A few names in any case, told from all others mostly by their length and first letter. */
export class NameSet {
  readonly #names: ReadonlyMap<string, string>;
  readonly #prefix: string | undefined;
  readonly #possible = new Uint8Array((MAX_LENGTH + 1) * 32);

  /**
   * @param names in lower case, up to 31 characters each
   * @param prefix names that begin so are in the set as well
   */
  constructor(names: Iterable<string>, prefix?: string) {
    this.#names = new Map([...names].map((name) => [name, name]));
    this.#prefix = prefix;
    for (const name of this.#names.keys()) {
      this.#possible[name.length * 32 + (name.charCodeAt(0) & 31)] = 1;
    }
  }

  /** The name that stands from start to end, in lower case, or undefined where it is not in the set. */
  find(text: string, start: number, end: number): string | undefined {
    const length = end - start;
    if (
      this.#prefix !== undefined &&
      length > this.#prefix.length &&
      text.charCodeAt(start + this.#prefix.length - 1) ===
        this.#prefix.charCodeAt(this.#prefix.length - 1)
    ) {
      const name = text.slice(start, end).toLowerCase();
      if (name.startsWith(this.#prefix)) {
        return name;
      }
    }
    if (length > MAX_LENGTH || this.#possible[length * 32 + (text.charCodeAt(start) & 31)] === 0) {
      return undefined;
    }
    return this.#names.get(text.slice(start, end).toLowerCase());
  }
}
