/** Lines remembered: two generations of them, the older of which goes when the younger is full. */
const GENERATION = 10_000;
/** Longer lines are taken for somebody's own: what is remembered has a bound. */
const MAX_LENGTH = 500;
/** Recipients in a row that must have got a line. */
const COMMON = 3;

/**
 * Finds out which lines messages to different recipients have in common. A line that only ever goes to one recipient,
 * his unsubscribe link, say, is his own however often it is sent.
 */
export class CommonLines {
  #young = new Map<string, Seen>();
  #old = new Map<string, Seen>();

  /** Those of a message's lines that others got before. */
  of(lines: readonly string[], recipient: string): readonly string[] {
    return lines.filter((line) => line.length <= MAX_LENGTH && this.#note(line, recipient));
  }

  #note(line: string, recipient: string): boolean {
    let seen = this.#young.get(line);
    if (seen === undefined) {
      seen = this.#old.get(line) ?? { recipients: 0, last: '' };
      if (this.#young.size >= GENERATION) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(line, seen);
    }
    if (seen.recipients < COMMON && seen.last !== recipient) {
      seen.recipients++;
      seen.last = recipient;
    }
    return seen.recipients === COMMON;
  }
}

interface Seen {
  recipients: number;
  last: string;
}
