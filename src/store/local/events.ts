import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type {
  Backlog,
  ConsumerName,
  EventConsumer,
  Events,
  Lease,
  SignSettings,
  StoredEvent,
  StreamReader,
} from '../events.ts';
import { LocalClicks, RecentClicks } from '../recent-clicks.ts';
import { DeadLetters } from './dead-letters.ts';
import { removeFromJournal } from './erase.ts';
import { Journal } from './journal.ts';
import { JournalConsumer, journalBacklog } from './journal-consumer.ts';
import { type JournalKind, journalFiles } from './journal-file.ts';
import { JournalReader, UnreadableFiles } from './journal-reader.ts';
import { adoptPending } from './journal-replay.ts';
import { lastEvents } from './journal-tail.ts';
import { FileLease } from './lease.ts';

export interface JournalSettings {
  /** The folder of the journal. */
  readonly journal: string;
  readonly journalMaxSize: number;
  readonly journalFsyncMs: number;
}

/** Click events in the journal of this host, where they stay. */
export class LocalEvents implements Events {
  readonly deadLetters: DeadLetters;
  readonly #settings: JournalSettings & SignSettings;
  readonly #logger: Logger;
  readonly #metrics: Metrics;

  constructor(settings: JournalSettings & SignSettings, logger: Logger, metrics: Metrics) {
    this.#settings = settings;
    this.#logger = logger;
    this.#metrics = metrics;
    this.deadLetters = new DeadLetters(settings.journal);
  }

  async openAppender(): Promise<LocalClicks> {
    const { journal: folder, automaticWithinMs } = this.#settings;
    await adoptPending(folder);
    return new LocalClicks(this.openJournal('events'), new RecentClicks(automaticWithinMs));
  }

  openJournal(kind: JournalKind): Journal {
    return new Journal({
      ...this.#settings,
      folder: this.#settings.journal,
      kind,
      logger: this.#logger,
      metrics: this.#metrics,
    });
  }

  openReader(
    from: 'oldest' | 'newest',
    kinds: readonly JournalKind[] = ['events', 'pending'],
  ): StreamReader {
    const unreadable = new UnreadableFiles(this.#logger);
    return new JournalReader({ folder: this.#settings.journal, kinds, from, unreadable });
  }

  recent(
    max: number,
    kinds: readonly JournalKind[] = ['events', 'pending'],
  ): Promise<readonly StoredEvent[]> {
    return lastEvents(this.#settings.journal, kinds, max);
  }

  openConsumer({ group }: ConsumerName, lease?: Lease): EventConsumer {
    return new JournalConsumer(this.#settings.journal, group, this.#logger, lease);
  }

  lease(name: string): Lease {
    return new FileLease(this.#settings.journal, name);
  }

  waiting(): Promise<Backlog> {
    return journalBacklog(this.#settings.journal, 'pending');
  }

  removeBefore(time: number): Promise<number> {
    return removeFromJournal(this.#settings.journal, time);
  }

  measure(metrics: Metrics, kind: JournalKind = 'events'): void {
    const { journal, journalMaxSize } = this.#settings;
    metrics.gauge('journal_bytes', async () => {
      const files = await journalFiles(journal, [kind]);
      return files.reduce((sum, { size }) => sum + size, 0);
    });
    metrics.gauge('journal_limit_bytes', () => journalMaxSize);
  }
}
