import type { Counters } from '../../src/store/counters.ts';

/** Writes which messages were sent, and counts the clicks that were booked, as settlement does. */
export async function settle(
  counters: Pick<Counters, 'flush' | 'portion' | 'count'>,
): Promise<void> {
  await counters.flush();
  const portion = await counters.portion();
  if (portion !== '') await counters.count(portion);
}
