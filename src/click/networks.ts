import { readFileSync, statSync } from 'node:fs';
import { type Address, type Network, parseNetwork } from '../lib/address.ts';
import { PrefixTable } from '../lib/prefix-table.ts';

/** Larger than any list of networks: hundreds of thousands of lines. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** A set of networks. Finding an address in it takes the same time, however many there are. */
export class NetworkSet {
  readonly #table = new PrefixTable<true>();

  /**
   * Reads the entries of `automatic_networks`: addresses, networks, and `file:PATH` for a file with
   * one of them per line, in which `#` begins a comment.
   * @throws Error that names the file or the entry, and says what would be right
   */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      if (entry.startsWith('file:')) this.#addFile(entry.slice('file:'.length));
      else this.#table.set(networkIn(entry), true);
    }
  }

  get isEmpty(): boolean {
    return this.#table.isEmpty;
  }

  has(address: Address): boolean {
    const network = { address, length: address.length * 8 };
    return this.#table.covering(network).length > 0;
  }

  #addFile(path: string): void {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size > MAX_FILE_BYTES) {
      throw new Error(`${path}: expected a file of at most ${MAX_FILE_BYTES} bytes`);
    }
    for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
      const text = line.replace(/#.*/, '').trim();
      if (text !== '') this.#table.set(networkIn(text, `${path}: line ${index + 1}: `), true);
    }
  }
}

function networkIn(text: string, place = ''): Network {
  const network = parseNetwork(text);
  if (network !== undefined) return network;
  const shown = JSON.stringify(text.slice(0, 100));
  throw new Error(`${place}${shown}: expected an IP address or a network such as 198.51.100.0/24`);
}
