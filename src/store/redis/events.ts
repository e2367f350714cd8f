import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type {
  Backlog,
  ClickAppender,
  ConsumerName,
  DeadLetterBox,
  EventConsumer,
  Events,
  Lease,
  SignSettings,
  StoredEvent,
  StreamReader,
} from '../events.ts';
import type { JournalSettings, LocalEvents } from '../local/events.ts';
import { JournalReplay } from '../local/journal-replay.ts';
import { LocalClicks, RecentClicks } from '../recent-clicks.ts';
import type { RedisOptions } from './client.ts';
import { RedisConnection } from './connection.ts';
import { RedisEventConsumer } from './event-consumer.ts';
import { ENTRIES_AT_ONCE, eventsOf, RedisEventReader, withFields } from './event-reader.ts';
import { FailoverAppender } from './failover.ts';
import { RedisLease } from './lease.ts';
import { RedisStream, type StreamLimits } from './stream.ts';

interface RedisEventsOptions {
  readonly connection: RedisConnection;
  readonly redis: RedisOptions;
  readonly settings: JournalSettings & StreamLimits & SignSettings;
  readonly journal: LocalEvents;
  readonly logger: Logger;
}

/**
 * Click events in the stream in Redis. While Redis is away they wait in the journal of this host.
 */
export class RedisEvents implements Events {
  readonly stream: RedisStream;
  readonly #options: RedisEventsOptions;
  /** The clicks that this process remembers while Redis cannot. */
  readonly #recent: RecentClicks;

  constructor(options: RedisEventsOptions) {
    this.#options = options;
    const { connection, settings } = options;
    this.#recent = new RecentClicks(settings.automaticWithinMs);
    this.stream = new RedisStream(connection, settings, this.#recent);
  }

  get deadLetters(): DeadLetterBox {
    return this.#options.journal.deadLetters;
  }

  async openAppender(): Promise<ClickAppender & { close(): Promise<void> }> {
    const { settings, logger } = this.#options;
    const { stream } = this;
    const journal = this.#options.journal.openJournal('pending');
    const local = new LocalClicks(journal, this.#recent);
    const appender = new FailoverAppender({ stream, journal: local, logger });
    const folder = settings.journal;
    const replay = new JournalReplay({ folder, journal, target: stream, logger });
    return {
      append: (events) => appender.append(events),
      record: (click) => appender.record(click),
      headSeen: (link) => appender.headSeen(link),
      async close() {
        await replay.close();
        await journal.close();
      },
    };
  }

  openReader(from: 'oldest' | 'newest'): StreamReader {
    return from === 'newest'
      ? this.#streamReader('$')
      : new OneAfterTheOther(
          // Events of the time before Redis. Pending events will be in the stream.
          this.#options.journal.openReader('oldest', ['events']),
          this.#streamReader('0'),
        );
  }

  async recent(max: number): Promise<readonly StoredEvent[]> {
    const { connection } = this.#options;
    const newestFirst: StoredEvent[] = [];
    for (let before = '+'; newestFirst.length < max; ) {
      const count = Math.min(max - newestFirst.length, ENTRIES_AT_ONCE);
      const entries = await connection.run((client) =>
        client.xrevrange(connection.keys.events, before, '-', 'COUNT', count),
      );
      const events = eventsOf(entries);
      newestFirst.push(...events.map(withFields).filter(({ event }) => event !== ''));
      if (events.length < count) break;
      before = `(${events.at(-1)?.id}`;
    }
    return newestFirst.reverse();
  }

  #streamReader(after: string): StreamReader {
    return new RedisEventReader(this.#ownConnection(), after);
  }

  /** @param goneMs for tests: how long the events of a silent consumer stay its own */
  openConsumer(name: ConsumerName, _lease?: Lease, goneMs?: number): EventConsumer {
    return new RedisEventConsumer(this.#ownConnection(), name, goneMs);
  }

  #ownConnection(): RedisConnection {
    return new RedisConnection(this.#options.redis, { blocking: true });
  }

  lease(name: string): Lease {
    return new RedisLease(this.#options.connection, name);
  }

  waiting(): Promise<Backlog> {
    return this.#options.journal.waiting();
  }

  async removeBefore(time: number): Promise<number> {
    const inJournal = await this.#options.journal.removeBefore(time);
    return inJournal + (await this.stream.removeBefore(time));
  }

  measure(metrics: Metrics): void {
    const { journal, settings } = this.#options;
    journal.measure(metrics, 'pending');
    metrics.gauge('events_stream_length', async () => (await this.stream.usage()).length);
    metrics.gauge('events_stream_limit', () => settings.streamMaxLength);
    metrics.gauge('events_stream_bytes', async () => (await this.stream.usage()).bytes);
    metrics.gauge('events_stream_limit_bytes', () => settings.streamMaxSize);
  }
}

/** Reads all events of the first reader, and then those of the second. */
class OneAfterTheOther implements StreamReader {
  readonly #first: StreamReader;
  readonly #second: StreamReader;
  #isFirstRead = false;

  constructor(first: StreamReader, second: StreamReader) {
    this.#first = first;
    this.#second = second;
  }

  async next(max: number, waitMs: number, maxBytes?: number): Promise<readonly StoredEvent[]> {
    if (!this.#isFirstRead) {
      const events = await this.#first.next(max, 0, maxBytes);
      if (events.length > 0) return events;
      this.#isFirstRead = true;
    }
    return this.#second.next(max, waitMs, maxBytes);
  }

  get skipped(): number {
    return this.#first.skipped + this.#second.skipped;
  }

  async close(): Promise<void> {
    await this.#first.close();
    await this.#second.close();
  }
}
