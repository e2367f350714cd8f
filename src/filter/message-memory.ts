/** Bounds the bytes that the messages in one process hold at the same time. */
export class MessageMemory {
  readonly #limit: number;
  #held = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held now. */
  get held(): number {
    return this.#held;
  }

  /** @returns false, and takes nothing, if there is no room */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}

/** The memory of one message: its recipients, header fields and bodies. */
export class MemoryShare {
  readonly #memory: MessageMemory | undefined;
  #held = 0;
  #isExceeded = false;

  /** @param memory undefined for commands, which read one message at a time */
  constructor(memory: MessageMemory | undefined) {
    this.#memory = memory;
  }

  /** Whether `take` has failed. */
  get isExceeded(): boolean {
    return this.#isExceeded;
  }

  /** @returns false from the first time on that there is no room; the share is then released */
  take(bytes: number): boolean {
    if (this.#memory === undefined) return true;
    if (this.#isExceeded) return false;
    if (this.#memory.take(bytes)) {
      this.#held += bytes;
      return true;
    }
    this.#isExceeded = true;
    this.release();
    return false;
  }

  /** Gives the memory back. Further calls have no effect. */
  release(): void {
    this.#memory?.release(this.#held);
    this.#held = 0;
  }
}
