import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { countedFactsOfEvent, textOf } from '../link/counted.ts';
import { texts } from '../link/fact.ts';
import { RAW_URL } from '../link/message-facts.ts';
import type { ClickCounter, CountedClick } from './counters.ts';
import { countOf } from './counting.ts';
import { fieldsOfEvent, timeIn } from './event-line.ts';
import {
  type EventConsumer,
  type EventFields,
  type Events,
  type Lease,
  type SignSettings,
  type StoredEvent,
  Superseded,
} from './events.ts';

export interface SettlementOptions extends SignSettings {
  readonly events: Pick<Events, 'openConsumer' | 'lease'>;
  readonly counters: ClickCounter;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** How often events are read and clicks booked; default 1,000 ms. */
  readonly intervalMs?: number;
}

/** The consumer group, and the name under which the journal's offsets are kept. */
const GROUP = 'counters';
/** Events that wait, and their bytes; beyond them the oldest are booked early. */
const MAX_WAITING = 20_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** Events that are read at once. */
const READ_AT_ONCE = 1_000;
/** Events whose clicks are counted together, and their bytes. */
const PORTION = 10_000;
const PORTION_BYTES = 8 * 1024 * 1024;
/** Clicks that are booked in one turn of the event loop: readers who click now wait meanwhile. */
const BOOKED_AT_ONCE = 100;
/** Clicks that one event stands for: a worker answers far fewer in a second. */
const MAX_REPEATS = 1_000_000;
/** Events counted last, by id: one that comes again, as after an outage, is not booked again. */
const REMEMBERED = 20_000;

interface Waiting {
  readonly id: string;
  readonly eventId: string;
  readonly bytes: number;
  /** When its class is settled, by performance.now. */
  readonly due: number;
  /** Undefined for an event that is not booked. */
  readonly click: CountedClick | undefined;
  isAutomatic: boolean;
}

/**
 * Books the clicks of events: the one place where clicks are counted. A click waits until no later
 * event can reclassify it any more. It waits in the stream or the journal, as an event that was not
 * acknowledged. Then it waits in a portion, which is kept by the step that acknowledges its events,
 * until the portion is counted; so a process that is killed loses no click and counts none twice.
 * Of all processes, one settles. One that was stopped for so long that another took over learns so
 * from the store, and changes nothing.
 */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #lease: Lease;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #consumer: EventConsumer | undefined;
  /**
   * Whether events may be there that were read and are not known here: by an earlier process, or
   * with an answer that was lost.
   */
  #isResuming = true;
  /** In the order of the events. */
  #waiting: Waiting[] = [];
  #bytes = 0;
  readonly #byId = new Map<string, Waiting>();
  /** Clicks of each campaign in the next portion. */
  readonly #people = new Map<string, number>();
  readonly #automatic = new Map<string, number>();
  /** Booked, and not acknowledged yet. */
  #booked: Waiting[] = [];
  /** The portion that these are in; undefined until it was asked for. */
  #portion: string | undefined;
  /** The portion that is kept, empty once it is counted; undefined where that is not known. */
  #kept: { readonly id: string; readonly text: string } | undefined;
  readonly #known = new BoundedCache<string, true>(REMEMBERED);
  #isFailing = false;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#lease = options.events.lease(GROUP);
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    await this.#leave();
    await this.#lease.release().catch(() => {});
  }

  async #run(): Promise<void> {
    const { intervalMs = 1000, logger } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#turn();
        this.#isFailing = false;
      } catch (error) {
        if (error instanceof Superseded) await this.#leave();
        else if (!this.#isFailing) {
          logFailure(logger, 'error', error, 'clicks cannot be counted yet');
          this.#isFailing = true;
        }
      }
      await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Reads what is new, and counts what is due. */
  async #turn(): Promise<void> {
    if (!(await this.#lease.hold())) return this.#leave();
    const name = { group: GROUP, name: GROUP };
    this.#consumer ??= this.#options.events.openConsumer(name, this.#lease);
    await this.#count(this.#consumer);
    let readAt = performance.now();
    while (!this.#stopped.signal.aborted && !this.#isFull) {
      readAt = performance.now();
      const events = await this.#read(this.#consumer);
      const due = performance.now() + this.#options.automaticWithinMs;
      for (const event of events) this.#take(event, due);
      if (events.length === 0) break;
    }
    while (await this.#book(readAt)) {
      await this.#count(this.#consumer);
      if (!(await this.#lease.hold())) return this.#leave();
    }
  }

  async #read(consumer: EventConsumer): Promise<readonly StoredEvent[]> {
    if (!this.#isResuming) {
      this.#isResuming = true;
      const events = await consumer.next(READ_AT_ONCE, 0);
      this.#isResuming = false;
      return events;
    }
    // They stay the same until they are acknowledged.
    if (this.#waiting.length > 0) return [];
    const events = await consumer.unacknowledged(2 * MAX_WAITING, 2 * MAX_BYTES);
    const bytes = events.reduce((sum, { event }) => sum + event.length, 0);
    this.#isResuming = events.length > MAX_WAITING || bytes > MAX_BYTES;
    return events.length > 0 ? events : this.#read(consumer);
  }

  get #isFull(): boolean {
    return this.#waiting.length > MAX_WAITING || this.#bytes > MAX_BYTES;
  }

  #take({ id, event: text, fields = fieldsOfEvent(text) }: StoredEvent, due: number): void {
    const eventId = textOf(fields?.['event_id']) ?? '';
    const isNew = !this.#byId.has(eventId) && this.#known.get(eventId) === undefined;
    const click = fields && isNew ? clickOf(fields) : undefined;
    const isAutomatic = fields?.['is_automatic'] === true;
    const waiting: Waiting = { id, eventId, bytes: text.length, due, click, isAutomatic };
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    if (click) this.#byId.set(eventId, waiting);
    const reclassified = fields?.['reclassifies'];
    for (const other of texts.isValid(reclassified) ? reclassified : []) {
      const earlier = this.#byId.get(other);
      if (earlier !== undefined) earlier.isAutomatic = true;
    }
  }

  /**
   * Books what is due, and what there is no room for, a portion at a time.
   * @param readAt when events were last read: what came since then may reclassify what is due later
   */
  async #book(readAt: number): Promise<boolean> {
    let bytes = 0;
    for (const waiting of this.#waiting) {
      const { length } = this.#booked;
      const left = this.#waiting.length - length;
      if (waiting.due > readAt && left <= MAX_WAITING && this.#bytes <= MAX_BYTES) break;
      bytes += waiting.bytes;
      if (length >= PORTION || (length > 0 && bytes > PORTION_BYTES)) break;
      this.#bytes -= waiting.bytes;
      this.#bookOne(waiting);
      if (length % BOOKED_AT_ONCE === 0) await nextTurn();
    }
    this.#waiting.splice(0, this.#booked.length);
    return this.#booked.length > 0;
  }

  #bookOne(waiting: Waiting): void {
    this.#booked.push(waiting);
    const { eventId, click, isAutomatic } = waiting;
    if (click === undefined) return;
    this.#byId.delete(eventId);
    this.#options.counters.book(click, isAutomatic ? 'automatic' : 'people');
    const { campaign = '', count } = click;
    const counts = isAutomatic ? this.#automatic : this.#people;
    counts.set(campaign, (counts.get(campaign) ?? 0) + count);
  }

  /** Many clicks at once: metrics bound the number of campaigns, which takes a while. */
  #measureBooked(): void {
    const { metrics } = this.#options;
    for (const counts of [this.#people, this.#automatic]) {
      const automatic = String(counts === this.#automatic);
      for (const [campaign, clicks] of counts) {
        metrics.count('clicks_total', { outcome: 'kept', automatic }, clicks);
        metrics.count('campaign_clicks_total', { campaign, automatic }, clicks);
      }
      counts.clear();
    }
  }

  /** Counts the portion that is kept, and the one that was booked. */
  async #count(consumer: EventConsumer): Promise<void> {
    const { counters } = this.#options;
    this.#kept ??= await this.#readKept(consumer);
    await this.#countKept(consumer, this.#kept);
    if (this.#booked.length === 0) return;
    this.#portion ??= await counters.portion();
    const events = this.#booked.map(({ id }) => ({ id, event: '' }));
    const eventIds = this.#booked.flatMap(({ click, eventId }) => (click ? [eventId] : []));
    const text = this.#portion;
    this.#kept = { id: await consumer.keep(events, { text, eventIds }), text };
    for (const eventId of eventIds) this.#known.set(eventId, true);
    this.#measureBooked();
    this.#portion = undefined;
    this.#booked = [];
    await this.#countKept(consumer, this.#kept);
  }

  async #readKept(consumer: EventConsumer) {
    const { eventIds, ...kept } = await consumer.note();
    for (const eventId of eventIds.toReversed()) this.#known.set(eventId, true);
    return kept;
  }

  async #countKept(consumer: EventConsumer, { id, text }: { id: string; text: string }) {
    if (text === '') return;
    await this.#options.counters.count(text, id);
    this.#kept = { id: await consumer.keep([], { text: '', eventIds: [] }), text: '' };
  }

  /** Forgets what waits: the next holder of the lease reads it again. */
  async #leave(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.#isResuming = true;
    this.#waiting = [];
    this.#bytes = 0;
    this.#booked = [];
    this.#portion = undefined;
    this.#kept = undefined;
    this.#people.clear();
    this.#automatic.clear();
    this.#byId.clear();
    await consumer?.close();
  }
}

/**
 * Reads what is counted of a click from its event.
 * @returns undefined where something is missing
 */
function clickOf(fields: EventFields): CountedClick | undefined {
  // Earlier releases counted the clicks of their events, which have no class, themselves.
  if (fields['is_automatic'] === undefined) return undefined;
  const time = timeIn(fields);
  const name = textOf(fields['target_link_name']);
  const link = name === undefined || name === RAW_URL ? textOf(fields['target_link_url']) : name;
  const messageId = textOf(fields['message_id']);
  const count = countOf(fields['repeat_count']) ?? 1;
  const { part } = fields;
  if (time === undefined || link === undefined || messageId === undefined) return undefined;
  if (part !== 'text' && part !== 'html') return undefined;
  return {
    time,
    messageId,
    link,
    part,
    position: countOf(fields['link_position']),
    count: count <= MAX_REPEATS ? count : 1,
    ...countedFactsOfEvent(fields),
  };
}
