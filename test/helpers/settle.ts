import type { Counters } from '../../src/store/counters.ts';
import { nextNoteId } from '../../src/store/redis/notes.ts';

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
