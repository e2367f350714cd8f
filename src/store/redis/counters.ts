import type { Logger } from '../../lib/logger.ts';
import { BookedClicks } from '../booked-clicks.ts';
import type {
  ClickClass,
  ClickCounter,
  CountedClick,
  SentCounter,
  SentMessage,
} from '../counters.ts';
import { DelayedWrite } from '../delayed-write.ts';
import { SentSums } from '../sent-sums.ts';
import type { Tallies } from '../tallies.ts';
import { type ClickPortion, parsePortion, takePortion } from './click-portion.ts';
import type { RedisConnection } from './connection.ts';
import { FirstClicks } from './first-clicks.ts';
import { StoredTallies } from './stored-tallies.ts';

/**
 * Sums of messages that wait; they go on to the bounded tallies so many at a time, since that takes
 * a while.
 */
const MAX_SENT_SUMS = 2_000;

/**
 * Counts for reports, in batches that nobody waits for. While Redis is away the numbers of messages
 * are kept, added up; a crash loses at most those of the last second, and a batch whose answer was
 * lost may count twice. Clicks are counted once.
 */
export class RedisCounters implements SentCounter, ClickCounter {
  readonly #connection: RedisConnection;
  readonly #logger: Logger;
  readonly #sent = new SentSums();
  readonly #booked = new BookedClicks();
  /** The portion that was given away last, so that it need not be parsed. */
  #portion: { readonly text: string; readonly portion: ClickPortion } | undefined;
  readonly #stored: StoredTallies;
  readonly #tallies: Tallies;
  readonly #firstClicks: FirstClicks;
  readonly #writing = new DelayedWrite(() => this.#flush());
  /** Whether a Redis that answers refused numbers the last time. */
  #isRefused = false;

  constructor(connection: RedisConnection, logger: Logger) {
    this.#connection = connection;
    this.#logger = logger;
    this.#stored = new StoredTallies(connection);
    this.#tallies = this.#stored.newTallies();
    this.#firstClicks = new FirstClicks(connection);
  }

  sent(message: SentMessage): void {
    this.#sent.count(message);
    if (this.#sent.size >= MAX_SENT_SUMS) this.#sent.moveTo(this.#tallies);
    this.#writing.schedule();
  }

  flush(): Promise<void> {
    return this.#writing.writeNow();
  }

  stop(): void {
    this.#writing.stop();
  }

  book(click: CountedClick, by: ClickClass): void {
    this.#booked.add(click, by);
  }

  async portion(): Promise<string> {
    this.#portion = takePortion(this.#booked);
    return this.#portion?.text ?? '';
  }

  async count(text: string, id: string): Promise<void> {
    const known = this.#portion?.text === text ? this.#portion.portion : undefined;
    const portion = known ?? parsePortion(text);
    const { unreadable } = portion;
    let problem =
      unreadable > 0 ? `${unreadable} lines of kept clicks are not readable` : undefined;
    const tallies = this.#stored.newTallies();
    problem = (await this.#firstClicks.mark(portion, id, tallies)) ?? problem;
    problem = (await this.#stored.add(tallies, id)) ?? problem;
    this.#portion = undefined;
    this.#log(problem);
  }

  async #flush(): Promise<void> {
    // Without this check, the client would send the commands that wait when Redis is back, and we
    // would send them again.
    const answers = await this.#connection.run((client) => client.ping()).catch(() => undefined);
    if (answers === undefined) {
      this.#writing.schedule();
      return;
    }
    this.#sent.moveTo(this.#tallies);
    const problem = await this.#stored.move(this.#tallies);
    if (!this.#tallies.isEmpty) this.#writing.schedule();
    this.#log(problem);
  }

  #log(problem: string | undefined): void {
    if (problem !== undefined && !this.#isRefused) {
      this.#logger.error({ problem }, 'counts for reports are incomplete');
    }
    this.#isRefused = problem !== undefined;
  }
}
