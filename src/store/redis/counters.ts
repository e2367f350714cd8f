import { inBackground } from '../../lib/background.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ClickCounter, CountedClick, SentCounter, SentMessage } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { DayCounts } from './day-counts.ts';
import { FirstClicks } from './first-clicks.ts';

const FLUSH_MS = 1_000;

/**
 * Counts for reports, in batches of a second that nobody waits for. While Redis is away the numbers are kept, added up. A
 * crash loses at most the numbers of the last second; a batch whose answer was lost may count twice.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #logger: Logger;
  readonly #counts: DayCounts;
  readonly #firstClicks: FirstClicks;
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Whether a Redis that answers refused numbers the last time. */
  #isRefused = false;

  constructor(connection: RedisConnection, logger: Logger) {
    this.#connection = connection;
    this.#logger = logger;
    this.#counts = new DayCounts(connection);
    this.#firstClicks = new FirstClicks(connection, this.#counts);
  }

  sent(message: SentMessage): void {
    this.#counts.sent(message);
    this.#schedule();
  }

  clicked(click: CountedClick): void {
    this.#firstClicks.add(click);
    this.#schedule();
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#flush());
    return this.#flushing;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    // Without this check, the client would send the commands that wait when Redis is back, and we would send them again.
    const answers = await this.#connection.run((client) => client.ping()).catch(() => undefined);
    if (answers === undefined) {
      this.#schedule();
      await this.#counts.format();
      return;
    }
    const marking = await this.#firstClicks.mark();
    const writing = await this.#counts.write();
    const problem = writing ?? marking;
    if (!this.#firstClicks.isEmpty || !this.#counts.isEmpty) this.#schedule();
    if (problem !== undefined && !this.#isRefused) {
      this.#logger.error({ problem }, 'counts for reports are incomplete');
    }
    this.#isRefused = problem !== undefined;
  }

  #schedule(): void {
    this.#timer ??= setTimeout(
      () => inBackground('write the counters', () => this.flush()),
      FLUSH_MS,
    ).unref();
  }
}
