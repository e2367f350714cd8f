/**
 * The names of all keys in Redis. A cluster spreads them; no command names two of them that it could not find on one
 * node.
 */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * The record of one message. With the default prefix 30 characters: from 32 on Redis would take 16 bytes more a
   * message.
   */
  message(messageId: string): string {
    return `${this.#prefix}m:${messageId}`;
  }

  /** The pattern of all records, for SCAN. */
  get messages(): string {
    return `${this.#prefix.replace(/[*?[\]\\]/g, '\\$&')}m:*`;
  }

  messageIdOf(key: string): string {
    return key.slice(this.#prefix.length + 2);
  }

  /** Lines that many records share. */
  sharedLines(id: string): string {
    return `${this.#prefix}s:${id}`;
  }

  /** How often each link of a message has been followed: a hash. */
  clicked(messageId: string): string {
    return `${this.#prefix}c:${messageId}`;
  }

  /** The click stream. */
  get events(): string {
    return `${this.#prefix}events`;
  }

  /** Counts of one UTC day by campaign and pathway: a hash. */
  counts(day: string): string {
    return `${this.#prefix}n:${day}`;
  }

  /** Counts of one UTC day by campaign and link: a hash. */
  linkCounts(day: string): string {
    return `${this.#prefix}l:${day}`;
  }

  /** Fingerprints of the sealing keys of each host: a hash. */
  get sealKeys(): string {
    return `${this.#prefix}keys`;
  }

  /** The block list: a hash. */
  get blocks(): string {
    return `${this.#prefix}blocks`;
  }

  /** Another number after every change of the block list. */
  get blocksVersion(): string {
    return `${this.#prefix}blocks:version`;
  }
}
