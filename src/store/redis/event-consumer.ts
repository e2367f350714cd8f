import { firstWithin } from '../../lib/first-within.ts';
import type { Backlog, ConsumerName, EventConsumer, Note, StoredEvent } from '../events.ts';
import { READ_BYTES } from '../events.ts';
import { LONGEST_BLOCK_MS, type RedisClient, SHORTEST_BLOCK_MS } from './client.ts';
import type { RedisConnection } from './connection.ts';
import { ENTRIES_AT_ONCE, eventsOfFirstStream } from './event-reader.ts';
import { Notes } from './notes.ts';

/** How often a consumer shows that it is alive, even while it is busy with one batch. */
const HEARTBEAT_MS = 20_000;
/** A consumer that is silent for this time is gone: others take over its events. */
const GONE_MS = 120_000;

/**
 * A consumer of a consumer group on the click stream. A group begins with the oldest event that is
 * kept. Redis keeps the list of the events that a consumer has read and not acknowledged, so it
 * survives the process.
 */
export class RedisEventConsumer implements EventConsumer {
  readonly #connection: RedisConnection;
  readonly #key: string;
  readonly #group: string;
  readonly #name: string;
  readonly #goneMs: number;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #notes: Notes;

  /** @param goneMs for tests: how long the events of a silent consumer stay its own */
  constructor(connection: RedisConnection, { group, name }: ConsumerName, goneMs = GONE_MS) {
    this.#connection = connection;
    this.#key = connection.keys.events;
    this.#group = group;
    this.#name = name;
    this.#goneMs = goneMs;
    this.#notes = new Notes(connection, group);
    this.#heartbeat = setInterval(
      () => {
        // The next read notices a Redis that is away.
        this.#read(1, '0').catch(() => undefined);
      },
      Math.min(HEARTBEAT_MS, goneMs / 4),
    ).unref();
  }

  async unacknowledged(max: number, maxBytes = READ_BYTES): Promise<readonly StoredEvent[]> {
    const own = await this.#own(max, maxBytes);
    // Events of others would change a batch that is being tried.
    if (own.length > 0) return own;
    await this.#takeOver(max);
    return this.#own(max, maxBytes);
  }

  async #own(max: number, maxBytes: number): Promise<readonly StoredEvent[]> {
    const own = await this.#readAll('0', max, maxBytes);
    return firstWithin(own, ({ event }) => event, max, maxBytes);
  }

  /** Waits for LONGEST_BLOCK_MS at most. */
  next(max: number, waitMs: number, maxBytes = READ_BYTES): Promise<readonly StoredEvent[]> {
    // Redis takes whole milliseconds only.
    return this.#readAll('>', max, maxBytes, Math.min(Math.ceil(waitMs), LONGEST_BLOCK_MS));
  }

  /** Reads a portion at a time, and waits for the first one only. */
  async #readAll(
    from: '0' | '>',
    max: number,
    maxBytes: number,
    waitMs = 0,
  ): Promise<readonly StoredEvent[]> {
    const all: StoredEvent[] = [];
    let bytes = 0;
    let place: string = from;
    let wait = waitMs;
    while (all.length < max && bytes < maxBytes) {
      const count = Math.min(max - all.length, ENTRIES_AT_ONCE);
      const { events, last } = await this.#read(count, place, wait);
      if (last === undefined) break;
      if (from === '0') place = last;
      wait = 0;
      all.push(...events);
      for (const { event } of events) bytes += Buffer.byteLength(event);
    }
    return all;
  }

  async acknowledge(events: readonly StoredEvent[]): Promise<void> {
    const ids = events.map(({ id }) => id);
    const [key, group] = [this.#key, this.#group];
    if (ids.length > 0) await this.#connection.run((client) => client.xack(key, group, ...ids));
  }

  note(): Promise<Note> {
    return this.#notes.read();
  }

  keep(events: readonly StoredEvent[], note: Omit<Note, 'id'>): Promise<string> {
    return this.#notes.keep(events, note);
  }

  /**
   * @throws Error where Redis cannot tell how many wait: before 7.0, or when entries were trimmed
   * unread
   */
  async backlog(): Promise<Backlog> {
    const [key, group] = [this.#key, this.#group];
    const groups = await this.#inGroup((client) => client.xinfo('GROUPS', key));
    const info =
      (groups as readonly (readonly unknown[])[]).find((one) => one.includes(group)) ?? [];
    const [pending, lag] = [fieldOf(info, 'pending'), fieldOf(info, 'lag')];
    if (typeof pending !== 'number' || typeof lag !== 'number') {
      throw new Error('this Redis does not tell how many events wait');
    }
    if (pending + lag === 0) return { events: 0 };
    const [, firstPending] = await this.#connection.run((client) => client.xpending(key, group));
    const after = `(${String(fieldOf(info, 'last-delivered-id'))}`;
    const next = await this.#connection.run((client) => client.xrange(key, after, '+', 'COUNT', 1));
    const oldest = typeof firstPending === 'string' ? firstPending : next[0]?.[0];
    // An id begins with the milliseconds at which the entry was added.
    const events = pending + lag;
    return oldest ? { events, oldest: Number.parseInt(oldest, 10) } : { events };
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#connection.close();
  }

  /**
   * @param from `>`: events that no consumer of the group has read; an id: events after it that
   * this one has not acknowledged
   * @returns `last` is the id of the last entry, be it an event or not; absent where there was none
   */
  async #read(
    max: number,
    from: string,
    waitMs = 0,
  ): Promise<{ events: readonly StoredEvent[]; last?: string }> {
    const [key, group, name] = [this.#key, this.#group, this.#name];
    const block = Math.max(SHORTEST_BLOCK_MS, waitMs);
    const args = ['COUNT', max, 'BLOCK', block, 'STREAMS', key, from] as const;
    const reply = await this.#inGroup((c) => c.xreadgroup('GROUP', group, name, ...args), waitMs);
    const entries = eventsOfFirstStream(reply);
    // An entry that was trimmed cannot be delivered, and one that is not an event would spoil its
    // batch.
    await this.acknowledge(entries.filter(({ event }) => event === ''));
    const last = entries.at(-1)?.id;
    const events = entries.filter(({ event }) => event !== '');
    return last === undefined ? { events } : { events, last };
  }

  /** Takes over the events of consumers that are gone. */
  async #takeOver(max: number): Promise<void> {
    const [key, group] = [this.#key, this.#group];
    const consumers = await this.#inGroup((client) => client.xinfo('CONSUMERS', key, group));
    for (const info of consumers as readonly (readonly unknown[])[]) {
      const name = String(fieldOf(info, 'name'));
      if (name === this.#name || Number(fieldOf(info, 'idle')) < this.#goneMs) continue;
      const pending = (await this.#connection.run((client) =>
        client.xpending(key, group, '-', '+', max, name),
      )) as readonly (readonly [string, ...unknown[]])[];
      const ids = pending.map(([id]) => id);
      if (ids.length > 0) {
        await this.#connection.run((client) =>
          client.call('XCLAIM', key, group, this.#name, 0, ...ids),
        );
      } else {
        // Deleting a consumer drops its events; only an empty one may be deleted.
        await this.#connection.run((client) => client.xgroup('DELCONSUMER', key, group, name));
      }
    }
  }

  /** Creates the group where it is missing: at first, and after Redis has lost its data. */
  async #inGroup<T>(send: (client: RedisClient) => Promise<T>, waitMs = 0): Promise<T> {
    try {
      return await this.#connection.run(send, undefined, waitMs);
    } catch (error) {
      if (!(error instanceof Error) || !/NOGROUP|no such key/.test(error.message)) throw error;
    }
    await this.#connection
      .run((client) => client.xgroup('CREATE', this.#key, this.#group, '0', 'MKSTREAM'))
      .catch((error: Error) => {
        if (!error.message.includes('BUSYGROUP')) throw error;
      });
    return this.#connection.run(send, undefined, waitMs);
  }
}

/** A field in an answer of XINFO, where names and values come in pairs. */
function fieldOf(info: readonly unknown[], name: string): unknown {
  return info[info.indexOf(name) + 1];
}
