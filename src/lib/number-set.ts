import { hash } from 'node:crypto';

/** A set of numbers other than 0, in 16 to 32 bytes each: a Set of millions takes 50. */
export class NumberSet {
  #slots = new Float64Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns false where the number was there already */
  add(number: number): boolean {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const at = slotOf(this.#slots, number);
    if (this.#slots[at] === number) return false;
    this.#slots[at] = number;
    this.#size++;
    return true;
  }

  has(number: number): boolean {
    return this.#slots[slotOf(this.#slots, number)] === number;
  }

  #grow(): void {
    const slots = new Float64Array(this.#slots.length * 2);
    for (const number of this.#slots) if (number !== 0) slots[slotOf(slots, number)] = number;
    this.#slots = slots;
  }
}

/** The place of a number, or the free one where it belongs. */
function slotOf(slots: Float64Array, number: number): number {
  const mask = slots.length - 1;
  // Of a number, Math.imul takes the lower 32 bits.
  let at = (Math.imul(number, 0x9e37_79b1) >>> 4) & mask;
  for (; slots[at] !== 0 && slots[at] !== number; at = (at + 1) & mask);
  return at;
}

/** The number that stands for a text in a NumberSet: 48 bits of its digest, never 0. */
export function numberOf(text: string): number {
  return hash('sha256', text, 'buffer').readUIntBE(0, 6) || 1;
}
