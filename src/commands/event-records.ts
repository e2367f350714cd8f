import type { Configuration } from '../config/configuration.ts';
import { FileReport } from '../event/file-report.ts';
import { JournalReader } from '../event/journal-reader.ts';
import { UnreadableFiles } from '../event/unreadable-files.ts';
import type { CountersReader } from '../link/counters.ts';
import type { EventReader } from '../link/event-stream.ts';
import { createRedisStore } from '../store/redis-store.ts';

/** How often a link of a message was followed; `link` is its name, else its target. */
interface LinkClicks {
  clicksOf(messageId: string, link: string): Promise<number>;
}

/** What the service has recorded: in Redis, or where there is none in files. */
export interface EventRecords {
  readonly reports: CountersReader & LinkClicks;
  openReader(from: 'oldest' | 'newest'): EventReader;
  close(): Promise<void>;
}

/** Touches nothing yet. */
export function openEventRecords({ linkStore, redis, events }: Configuration): EventRecords {
  if (linkStore === 'redis') {
    const store = createRedisStore({ ...redis, stream: events });
    return {
      reports: store.reports,
      openReader: (from) => store.openReader(from === 'oldest' ? '0' : '$'),
      close: () => store.close(),
    };
  }
  const folder = events.journal;
  const tell = (problem: string) => process.stderr.write(`clickmilter: ${problem}\n`);
  return {
    reports: new FileReport(folder, tell),
    openReader: (from) =>
      new JournalReader({
        folder,
        kinds: ['events', 'pending'],
        from,
        unreadable: new UnreadableFiles(tell),
      }),
    close: async () => {},
  };
}
