import type { Configuration } from '../config/configuration.ts';
import type { Metrics } from '../control/metrics.ts';
import { journalFiles } from '../event/journal-file.ts';
import type { Links } from './links.ts';
import type { Logger } from './log.ts';

/** Stream and journal have limits, at which the oldest clicks go: says them, and how far each is filled. */
export function tellEventLimits(
  { events }: Configuration,
  { store }: Links,
  metrics: Metrics,
  logger: Logger,
): void {
  const { journal, journalMaxSize, streamMaxLength } = events;
  const kind = store === undefined ? 'events' : 'pending';
  metrics.gauge('journal_bytes', async () => {
    const files = await journalFiles(journal, [kind]);
    return files.reduce((sum, { size }) => sum + size, 0);
  });
  metrics.gauge('journal_limit_bytes', () => journalMaxSize);
  if (store !== undefined) {
    metrics.gauge('events_stream_length', async () => (await store.health()).streamLength);
    metrics.gauge('events_stream_limit', () => streamMaxLength);
  }
  logger.info(
    { journalMaxSize, ...(store !== undefined && { streamMaxLength }) },
    'beyond these limits the oldest clicks are dropped',
  );
}
