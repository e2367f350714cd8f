import { type Address, type Network, parseNetwork } from '../lib/address.ts';
import { readWhole } from '../lib/files.ts';
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
    const text = readWhole(path, MAX_FILE_BYTES).toString();
    for (const [index, line] of text.split('\n').entries()) {
      const entry = line.replace(/#.*/, '').trim();
      if (entry !== '') this.#table.set(networkIn(entry, `${path}: line ${index + 1}: `), true);
    }
  }
}

function networkIn(text: string, place = ''): Network {
  const network = parseNetwork(text);
  if (network !== undefined) return network;
  const shown = JSON.stringify(text.slice(0, 100));
  throw new Error(`${place}${shown}: expected an IP address or a network such as 198.51.100.0/24`);
}
