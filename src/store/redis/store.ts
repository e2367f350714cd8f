import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { SignSettings } from '../events.ts';
import { forgetInJournal } from '../local/erase.ts';
import { type JournalSettings, LocalEvents } from '../local/events.ts';
import { OptOutFile } from '../local/opt-outs.ts';
import { FileReport } from '../local/report.ts';
import { sumUpCounts } from '../local/sum-up.ts';
import { loggedOptOuts } from '../opt-outs.ts';
import type { Store } from '../store.ts';
import { RedisBlocks } from './blocks.ts';
import type { RedisOptions } from './client.ts';
import { OutageLog, RedisConnection } from './connection.ts';
import { RedisCounters } from './counters.ts';
import { RedisEvents } from './events.ts';
import { forgetRecipient } from './forget.ts';
import { redisHealth } from './health.ts';
import { RedisOptOuts } from './opt-outs.ts';
import { RedisPreviews } from './previews.ts';
import { ReplicatedWrites } from './replicated-writes.ts';
import { RedisReport } from './report.ts';
import { StoredLinks } from './stored-links.ts';
import type { StreamLimits } from './stream.ts';

export interface RedisSettings {
  readonly redis: RedisOptions;
  readonly events: JournalSettings & StreamLimits & SignSettings & { readonly optOuts: string };
}

/** A store in Redis. Clicks that Redis does not take wait in the journal of this host. */
export interface RedisStore extends Store {
  readonly issuer: StoredLinks;
  readonly events: RedisEvents;
}

/** Touches nothing yet: the first command connects. */
export function createRedisStore(
  { redis, events: settings }: RedisSettings,
  logger: Logger,
  metrics: Metrics,
): RedisStore {
  const outages = new OutageLog(logger);
  const connection = new RedisConnection(redis, { outages });
  const blocks = new RedisBlocks(connection);
  const links = new StoredLinks(connection, blocks.versionRead);
  const { commandTimeoutMs, waitReplicas, waitTimeoutMs } = redis;
  // A connection of its own, because readers who click must not wait for replicas.
  const saving =
    waitReplicas > 0
      ? new RedisConnection(
          { ...redis, commandTimeoutMs: commandTimeoutMs + waitTimeoutMs },
          { outages },
        )
      : undefined;
  const journal = new LocalEvents(settings, logger, metrics);
  const events = new RedisEvents({ connection, redis, settings, journal, logger });
  const counters = new RedisCounters(connection, logger);
  const reports = new RedisReport(connection);
  // Counts of the time before Redis.
  const files = new FileReport(settings.journal, logger);
  return {
    issuer:
      saving === undefined
        ? links
        : new StoredLinks(
            saving,
            blocks.versionRead,
            new ReplicatedWrites(saving, waitReplicas, waitTimeoutMs),
          ),
    resolver: links,
    findMessage: (messageId) => links.findMessage(messageId),
    blocks,
    optOuts: loggedOptOuts(
      new RedisOptOuts(connection, new OptOutFile(settings.optOuts, logger)),
      logger,
    ),
    events,
    counters: {
      sent: (message) => counters.sent(message),
      book: (click, by) => counters.book(click, by),
      portion: () => counters.portion(),
      count: (portion, id) => counters.count(portion, id),
      flush: () => counters.flush(),
      sumUp: (signal) => sumUpCounts({ folder: settings.journal, logger, signal }),
      async report(query) {
        const sum = await files.sum(query);
        await reports.addTo(sum);
        return sum.report();
      },
      async clicksOf(message, of) {
        const before = await files.clicksOf(message, of);
        return (await reports.clicksOf(message, of)).map(
          (clicks, at) => clicks + (before[at] ?? 0),
        );
      },
    },
    previews: new RedisPreviews(connection),
    async forget(request) {
      // Before the stream: events that leave the journal meanwhile are found in the stream.
      const journalled = await forgetInJournal(settings.journal, request.address);
      const found = await forgetRecipient(connection, links, request);
      return { ...found, events: found.events + journalled };
    },
    health: async (own) => redisHealth(connection, await events.stream.usage(), settings, own),
    async close() {
      await counters.flush();
      counters.stop();
      connection.close();
      saving?.close();
    },
  };
}
