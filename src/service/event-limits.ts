import type { Configuration } from '../config/configuration.ts';
import type { Metrics } from '../lib/metrics.ts';
import { journalFiles } from '../store/local/journal-file.ts';
import type { Links } from './links.ts';

/** Stream and journal have limits, at which the oldest clicks go: measures how far each is filled. */
export function measureEventLimits(
  { events }: Configuration,
  { store }: Links,
  metrics: Metrics,
): void {
  const { journal, journalMaxSize, streamMaxLength, streamMaxSize } = events;
  const kind = store === undefined ? 'events' : 'pending';
  metrics.gauge('journal_bytes', async () => {
    const files = await journalFiles(journal, [kind]);
    return files.reduce((sum, { size }) => sum + size, 0);
  });
  metrics.gauge('journal_limit_bytes', () => journalMaxSize);
  if (store === undefined) return;
  metrics.gauge('events_stream_length', async () => (await store.health()).streamLength);
  metrics.gauge('events_stream_limit', () => streamMaxLength);
  metrics.gauge('events_stream_bytes', async () => (await store.health()).streamBytes);
  metrics.gauge('events_stream_limit_bytes', () => streamMaxSize);
}
