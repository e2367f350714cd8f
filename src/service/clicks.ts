import type { ClickSink } from '../click/click.ts';
import { ClickRecorder } from '../click/click-recorder.ts';
import type { Configuration } from '../config/configuration.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import { FailoverAppender } from '../store/failover.ts';
import { Journal } from '../store/local/journal.ts';
import { adoptPending, JournalReplay } from '../store/local/journal-replay.ts';
import type { Links } from './links.ts';

/** Where clicks go: the Redis stream with the journal behind it, or the journal alone. */
export interface Clicks extends ClickSink {
  close(): Promise<void>;
}

/** @param outcome told of clicks that are safe somewhere, and of those that are lost although somebody thought so */
export async function openClicks(
  config: Configuration,
  links: Links,
  logger: Logger,
  outcome: (kept: boolean, clicks: number) => void,
): Promise<Clicks> {
  const { events } = config;
  const journal = new Journal({
    folder: events.journal,
    kind: links.store === undefined ? 'events' : 'pending',
    maxTotalBytes: events.journalMaxSize,
    fsyncMs: events.journalFsyncMs,
    observer: {
      failing: (error) =>
        error === undefined
          ? logger.info('the journal can be written again')
          : logFailure(logger, 'error', error, 'the journal cannot be written: clicks may be lost'),
      dropped(path, oldest) {
        const full = { path, events: oldest };
        // Without Redis the journal keeps what it has room for; with it, what is in the journal is nowhere else.
        if (links.store === undefined)
          logger.warn(full, 'the journal is full: its oldest file is gone');
        else {
          outcome(false, oldest);
          logger.error(full, 'the journal is full: clicks that Redis never got are lost');
        }
      },
    },
  });
  const releases: (() => Promise<void>)[] = [() => journal.close()];
  let appender: ClickRecorderEvents = journal;
  if (links.store === undefined) {
    await adoptPending(events.journal);
  } else {
    appender = new FailoverAppender({
      first: links.store.events,
      second: journal,
      observer: {
        failedOver: (error) =>
          error === undefined
            ? logger.info('clicks go to Redis again')
            : logFailure(logger, 'warn', error, 'clicks go to the journal until Redis is back'),
      },
    });
    const replay = new JournalReplay({
      folder: events.journal,
      journal,
      target: links.store.events,
      observer: {
        replayed: (count) => logger.info({ events: count }, 'journalled clicks went to Redis'),
        damaged: (path, lines) =>
          logger.error({ path, lines }, 'skipped corrupt lines in the journal'),
        leftOut: (problem) => logger.error(problem),
        failed: (error) => logFailure(logger, 'error', error, 'the journal could not be replayed'),
      },
    });
    releases.push(() => replay.close());
  }
  const recorder = new ClickRecorder({
    ...events,
    events: appender,
    counter: links.counter,
    observer: {
      recorded: (clicks) => outcome(true, clicks),
      repeatsLost(clicks, error) {
        outcome(false, clicks);
        logFailure(logger, 'error', error, 'clicks were lost', { clicks });
      },
    },
  });
  releases.push(() => recorder.close());
  return {
    record: (click) => recorder.record(click),
    headSeen: (token) => recorder.headSeen(token),
    async close() {
      for (const release of releases.reverse()) await release();
    },
  };
}

type ClickRecorderEvents = ConstructorParameters<typeof ClickRecorder>[0]['events'];
