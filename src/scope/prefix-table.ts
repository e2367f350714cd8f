import { type Address, maskAddress, type Network } from './address.ts';

/**
 * Values by network, found by longest prefix. One hash table for each prefix length in use: a
 * look-up costs one probe a length, whatever the number of networks.
 */
export class PrefixTable<T> {
  readonly #families = { 4: new Family<T>(), 16: new Family<T>() };

  set(network: Network, value: T): void {
    this.#family(network.address).set(network, value);
  }

  /** The values of every network that holds the whole of the given one, the smallest network first. */
  covering(network: Network): T[] {
    return this.#family(network.address).covering(network);
  }

  #family(address: Address): Family<T> {
    return address.length === 4 ? this.#families[4] : this.#families[16];
  }
}

class Family<T> {
  /** Longest prefix first. */
  #lengths: number[] = [];
  readonly #tables = new Map<number, Map<string, T>>();

  set({ address, length }: Network, value: T): void {
    let table = this.#tables.get(length);
    if (!table) {
      table = new Map();
      this.#tables.set(length, table);
      this.#lengths = [...this.#tables.keys()].sort((a, b) => b - a);
    }
    table.set(keyOf(address, length), value);
  }

  covering(network: Network): T[] {
    const found: T[] = [];
    for (const length of this.#lengths) {
      if (length > network.length) continue;
      const value = this.#tables.get(length)?.get(keyOf(network.address, length));
      if (value !== undefined) found.push(value);
    }
    return found;
  }
}

function keyOf(address: Address, length: number): string {
  return String.fromCharCode(...maskAddress(address, length));
}
