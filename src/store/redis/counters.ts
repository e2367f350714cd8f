import type { Logger } from '../../lib/logger.ts';
import { DelayedWrite } from '../delayed-write.ts';
import type { ClickCounter, CountedClick, SentCounter, SentMessage } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { DayCounts } from './day-counts.ts';
import { FirstClicks } from './first-clicks.ts';

/**
 * Counts for reports, in batches of a second that nobody waits for. While Redis is away the numbers
 * are kept, added up. A crash loses at most the numbers of the last second; a batch whose answer
 * was lost may count twice.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #logger: Logger;
  readonly #counts: DayCounts;
  readonly #firstClicks: FirstClicks;
  readonly #writing = new DelayedWrite(() => this.#flush());
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
    this.#writing.schedule();
  }

  clicked(click: CountedClick): void {
    this.#firstClicks.add(click);
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
      await this.#counts.format();
      return;
    }
    const marking = await this.#firstClicks.mark();
    const writing = await this.#counts.write();
    const problem = writing ?? marking;
    if (!this.#firstClicks.isEmpty || !this.#counts.isEmpty) this.#writing.schedule();
    if (problem !== undefined && !this.#isRefused) {
      this.#logger.error({ problem }, 'counts for reports are incomplete');
    }
    this.#isRefused = problem !== undefined;
  }
}
