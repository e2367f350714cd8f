import type { Address, Network } from './address.ts';

/**
 * Values by network, found by longest prefix. There is one hash table per prefix length in use, so
 * a lookup costs one probe per length, whatever the number of networks.
 */
export class PrefixTable<T> {
  readonly #families = { 4: new Family<T>(), 16: new Family<T>() };

  set(network: Network, value: T): void {
    this.#family(network.address).set(network, value);
  }

  /** The values of all networks that contain the given one, smallest network first. */
  covering(network: Network): T[] {
    return this.#family(network.address).covering(network);
  }

  get isEmpty(): boolean {
    return this.#families[4].isEmpty && this.#families[16].isEmpty;
  }

  *values(): Iterable<T> {
    yield* this.#families[4].values();
    yield* this.#families[16].values();
  }

  #family(address: Address): Family<T> {
    return address.length === 4 ? this.#families[4] : this.#families[16];
  }
}

class Family<T> {
  /** By prefix length, longest first. The keys of a table are the bits of the prefix, as text. */
  #tables: (readonly [length: number, Map<string, T>])[] = [];

  set({ address, length }: Network, value: T): void {
    let table = this.#tables.find(([other]) => other === length)?.[1];
    if (!table) {
      table = new Map();
      this.#tables = [...this.#tables, [length, table] as const].sort(([a], [b]) => b - a);
    }
    table.set(bitsOf(address).slice(0, length), value);
  }

  get isEmpty(): boolean {
    return this.#tables.length === 0;
  }

  *values(): Iterable<T> {
    for (const [, table] of this.#tables) yield* table.values();
  }

  covering({ address, length: longest }: Network): T[] {
    if (this.#tables.length === 0) return [];
    const bits = bitsOf(address);
    const found: T[] = [];
    for (const [length, table] of this.#tables) {
      const value = length > longest ? undefined : table.get(bits.slice(0, length));
      if (value !== undefined) found.push(value);
    }
    return found;
  }
}

const bitsOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(8, '0'));

function bitsOf(address: Address): string {
  let bits = '';
  for (const byte of address) bits += bitsOfByte[byte];
  return bits;
}
