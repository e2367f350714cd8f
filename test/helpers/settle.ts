import { type Logger, silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import type { Counters } from '../../src/store/counters.ts';
import { nextNoteId } from '../../src/store/redis/notes.ts';
import { Settlement } from '../../src/store/settlement.ts';
import type { Store } from '../../src/store/store.ts';

let last = '';

/** The id of a note that keeps a portion: greater than all before. */
export function nextPortionId(): string {
  last = nextNoteId(last);
  return last;
}

/** Writes which messages were sent, and counts the clicks that were booked, as settlement does. */
export async function settle(
  counters: Pick<Counters, 'flush' | 'portion' | 'count'>,
): Promise<void> {
  await counters.flush();
  const portion = await counters.portion();
  if (portion !== '') await counters.count(portion, nextPortionId());
}

/**
 * Starts the settlement of a store.
 * @param counted called when a portion was counted, after which it does nothing more; absent: it
 * goes on
 */
export function startSettlement(
  { events, counters }: Pick<Store, 'events' | 'counters'>,
  counted?: () => void,
  logger: Logger = silent,
): Settlement {
  const settlement = new Settlement({
    events: {
      lease: (name) => events.lease(name),
      openConsumer(...of) {
        const consumer = events.openConsumer(...of);
        const keep = consumer.keep.bind(consumer);
        consumer.keep = async (some, note) => {
          const id = await keep(some, note);
          if (note.text === '') counted?.();
          return id;
        };
        return consumer;
      },
    },
    counters,
    automaticWithinMs: 0,
    logger,
    metrics: noMetrics,
    intervalMs: counted === undefined ? 2 : 60_000,
  });
  settlement.start();
  return settlement;
}
