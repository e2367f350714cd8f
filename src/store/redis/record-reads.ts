import { StoreUnavailable } from '../../link/link-store.ts';
import { readBlocksVersion } from './blocks.ts';
import type { RedisConnection } from './connection.ts';

/**
 * Redis returned a record, or a template of one, that this release cannot read, however often it
 * asks.
 */
export class UnreadableRecord extends StoreUnavailable {}

/**
 * Records in one command: enough to share its cost, and few enough that Redis works while the next
 * requests come in.
 */
const MAX_IN_COMMAND = 32;

/** A value as it is in Redis; null where there is none. */
type Value = Buffer | null;

interface Batch {
  /**
   * Each key once, however many ask for it, with its place: senders choose how long a record is.
   */
  readonly places: Map<string, number>;
  readonly answers: Promise<readonly Value[]>;
  send(): void;
}

/**
 * Reads records, and the version of the block list in the same round trip. One command reads the
 * records that are asked for in one turn of the event loop: under load, commands are the largest
 * cost of a look-up.
 */
export class RecordReads {
  readonly #connection: RedisConnection;
  readonly #onBlocksVersion: (version: string) => void;
  #gathering: Batch | undefined;

  /**
   * @param onBlocksVersion receives the version of the block list before each record is returned
   */
  constructor(connection: RedisConnection, onBlocksVersion: (version: string) => void) {
    this.#connection = connection;
    this.#onBlocksVersion = onBlocksVersion;
  }

  /**
   * @returns null where there is no such record
   * @throws StoreUnavailable
   */
  async read(messageId: string): Promise<Value> {
    const key = this.#connection.keys.message(messageId);
    if (this.#connection.isCluster) return this.#readApart(key);
    this.#gathering ??= this.#begin();
    const batch = this.#gathering;
    const { places, answers } = batch;
    const at = places.get(key) ?? places.size;
    places.set(key, at);
    if (places.size === MAX_IN_COMMAND) batch.send();
    return (await answers)[at] ?? null;
  }

  #begin(): Batch {
    const places = new Map<string, number>();
    let send = () => {};
    const answers = new Promise<readonly Value[]>((resolve, reject) => {
      const immediate = setImmediate(() => send());
      send = () => {
        clearImmediate(immediate);
        this.#gathering = undefined;
        this.#readAll([...places.keys()]).then(resolve, reject);
        this.#connection.sendNow();
      };
    });
    return { places, answers, send };
  }

  async #readAll(keys: readonly string[]): Promise<readonly Value[]> {
    const values = await this.#connection.run((client) =>
      client.mgetBuffer(...keys, this.#connection.keys.blocksVersion),
    );
    this.#onBlocksVersion(values[keys.length]?.toString() ?? '');
    return values;
  }

  /**
   * In a cluster the keys are on several nodes, which are asked at the same time. Links go on
   * working while the node of the block list is away: the last known list holds.
   */
  async #readApart(key: string): Promise<Value> {
    const [value] = await Promise.all([
      this.#connection.run((client) => client.getBuffer(key)),
      readBlocksVersion(this.#connection).then(this.#onBlocksVersion).catch(ignoreUnavailable),
    ]);
    return value;
  }
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}
