import { type Logger, logLimited } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { parseStoredToken } from '../../link/stored-token.ts';
import type { SignSettings } from '../events.ts';
import { loggedOptOuts } from '../opt-outs.ts';
import type { Store } from '../store.ts';
import { BlockListFile } from './blocks.ts';
import { FileCounters } from './counters.ts';
import { forgetInJournal } from './erase.ts';
import { type JournalSettings, LocalEvents } from './events.ts';
import { OptOutFile } from './opt-outs.ts';
import { PreviewFiles } from './previews.ts';
import { FileReport } from './report.ts';
import { sumUpCounts } from './sum-up.ts';

export interface LocalSettings {
  readonly events: JournalSettings &
    SignSettings & {
      /** The file of the block list. */
      readonly blockList: string;
      /** The file of the opt-outs. */
      readonly optOuts: string;
      /** The folder of the previews. */
      readonly previews: string;
    };
}

/** A store in files of one host, for sealed links: it keeps no records of links. */
export function createLocalStore(
  { events }: LocalSettings,
  logger: Logger,
  metrics: Metrics,
): Store {
  const folder = events.journal;
  const counters = new FileCounters({ folder, logger });
  const reports = new FileReport(folder, logger);
  return {
    resolver: {
      async resolve(token) {
        if (parseStoredToken(token) !== undefined) {
          logLimited(
            logger,
            'warn',
            'click on a stored link, but link_store is "sealed": links sent while it was "redis" no longer work',
          );
        }
        return undefined;
      },
    },
    findMessage: async () => undefined,
    blocks: new BlockListFile(events.blockList, logger),
    optOuts: loggedOptOuts(new OptOutFile(events.optOuts, logger), logger),
    events: new LocalEvents(events, logger, metrics),
    counters: {
      sent: (message) => counters.sent(message),
      book: (click, by) => counters.book(click, by),
      portion: () => counters.portion(),
      count: (portion) => counters.count(portion),
      flush: () => counters.flush(),
      sumUp: (signal) => sumUpCounts({ folder, logger, signal }),
      report: (query) => reports.report(query),
      clicksOf: (...links) => reports.clicksOf(...links),
    },
    previews: new PreviewFiles(events.previews),
    async forget({ address }) {
      const found = await forgetInJournal(folder, address);
      return { records: 0, shared: 0, events: found, unreadable: 0 };
    },
    health: async () => ({
      facts: ['not used: links are sealed, and clicks go to the journal'],
      failures: [],
      warnings: [],
      unknown: [],
    }),
    close: () => counters.close(),
  };
}
