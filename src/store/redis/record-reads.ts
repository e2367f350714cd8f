import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { sendNow } from './send-now.ts';

/** Records in one command: enough to share its cost, few enough that Redis is at work while we take the next requests. */
const MOST = 32;

/** A record as it lies in Redis, null where there is none, and the version of the block list. */
export type RecordRead = readonly [record: Buffer | null, blocksVersion: string];

interface Batch {
  readonly keys: string[];
  readonly answers: Promise<readonly RecordRead[]>;
  send(): void;
}

/**
 * Reads records, each with the version of the block list in the same round trip. Those that are asked for in one turn of
 * the event loop go out together: under load, commands are what a look-up costs most.
 */
export class RecordReads {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  #gathering: Batch | undefined;

  constructor(connection: RedisConnection, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** @throws StoreUnavailable */
  async read(messageId: string): Promise<RecordRead> {
    const key = this.#keys.message(messageId);
    if (this.#connection.isCluster) return this.#readApart(key);
    this.#gathering ??= this.#begin();
    const batch = this.#gathering;
    const at = batch.keys.push(key) - 1;
    if (batch.keys.length === MOST) batch.send();
    return (await batch.answers)[at] as RecordRead;
  }

  #begin(): Batch {
    const keys: string[] = [];
    let send = () => {};
    const answers = new Promise<readonly RecordRead[]>((resolve, reject) => {
      const immediate = setImmediate(() => send());
      send = () => {
        clearImmediate(immediate);
        this.#gathering = undefined;
        this.#readAll(keys).then(resolve, reject);
        sendNow(this.#connection);
      };
    });
    return { keys, answers, send };
  }

  async #readAll(keys: readonly string[]): Promise<readonly RecordRead[]> {
    const values = await this.#connection.run((client) =>
      client.mgetBuffer(...keys, this.#keys.blocksVersion),
    );
    const version = values[keys.length]?.toString() ?? '';
    return keys.map((_, at) => [values[at] ?? null, version]);
  }

  /** In a cluster the two lie on two nodes, which are asked at once. */
  #readApart(key: string): Promise<RecordRead> {
    return this.#connection.run(async (client) => {
      const [value, version] = await Promise.all([
        client.getBuffer(key),
        client.getBuffer(this.#keys.blocksVersion),
      ]);
      return [value, version?.toString() ?? ''];
    });
  }
}
