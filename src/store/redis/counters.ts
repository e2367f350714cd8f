import type { Logger } from '../../lib/logger.ts';
import type {
  ClickClass,
  ClickCounter,
  CountedClick,
  SentCounter,
  SentMessage,
} from '../counters.ts';
import { DelayedWrite } from '../delayed-write.ts';
import { SentSums } from '../sent-sums.ts';
import type { RedisConnection } from './connection.ts';
import { FirstClicks } from './first-clicks.ts';
import { StoredTallies } from './stored-tallies.ts';

/**
 * Sums of messages that wait; they go on to the bounded tallies so many at a time, since that takes
 * a while.
 */
const MAX_SENT_SUMS = 2_000;

/**
 * Counts for reports, in batches of a second that nobody waits for. While Redis is away the numbers
 * are kept, added up. A crash loses at most the numbers of messages of the last second: clicks are
 * booked again. A batch whose answer was lost may count twice.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #logger: Logger;
  readonly #sent = new SentSums();
  readonly #stored: StoredTallies;
  readonly #firstClicks: FirstClicks;
  readonly #writing = new DelayedWrite(() => this.#flush());
  /** Whether a Redis that answers refused numbers the last time. */
  #isRefused = false;

  constructor(connection: RedisConnection, logger: Logger) {
    this.#connection = connection;
    this.#logger = logger;
    this.#stored = new StoredTallies(connection);
    this.#firstClicks = new FirstClicks(connection, this.#stored.tallies);
  }

  sent(message: SentMessage): void {
    this.#sent.count(message);
    if (this.#sent.size >= MAX_SENT_SUMS) this.#sent.moveTo(this.#stored.tallies);
    this.#writing.schedule();
  }

  book(click: CountedClick, by: ClickClass): void {
    this.#firstClicks.add(click, by);
    this.#writing.schedule();
  }

  flush(): Promise<void> {
    return this.#writing.writeNow();
  }

  stop(): void {
    this.#writing.stop();
  }

  async #flush(): Promise<void> {
    // Without this check, the client would send the commands that wait when Redis is back, and we
    // would send them again.
    const answers = await this.#connection.run((client) => client.ping()).catch(() => undefined);
    if (answers === undefined) {
      this.#writing.schedule();
      return;
    }
    const marking = await this.#firstClicks.mark();
    this.#sent.moveTo(this.#stored.tallies);
    const writing = await this.#stored.write();
    const problem = writing ?? marking;
    if (!this.#firstClicks.isEmpty || !this.#stored.tallies.isEmpty) this.#writing.schedule();
    if (problem !== undefined && !this.#isRefused) {
      this.#logger.error({ problem }, 'counts for reports are incomplete');
    }
    this.#isRefused = problem !== undefined;
  }
}
