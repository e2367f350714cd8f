/** A map that forgets the entry added longest ago when it holds more than its limit. */
export class Recent<Value> {
  readonly #entries = new Map<string, Value>();
  /** Its keys, in a ring: to find a map's oldest entry takes the longer, the more were deleted before it. */
  readonly #keys: string[] = [];
  readonly #limit: number;
  #next = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  /** Adds an entry, or changes the value of one, which makes it no younger. */
  set(key: string, value: Value): void {
    if (!this.#entries.has(key)) {
      const oldest = this.#keys[this.#next];
      if (oldest !== undefined) this.#entries.delete(oldest);
      this.#keys[this.#next] = key;
      this.#next = (this.#next + 1) % this.#limit;
    }
    this.#entries.set(key, value);
  }
}
