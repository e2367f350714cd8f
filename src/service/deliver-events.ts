import { hostname } from 'node:os';
import { Webhook } from '../click/webhook.ts';
import type { Configuration } from '../config/configuration.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Backlog, EventConsumer } from '../store/events.ts';
import { DeadLetters } from '../store/local/dead-letters.ts';
import { journalBacklog } from '../store/local/journal-backlog.ts';
import { JournalConsumer } from '../store/local/journal-consumer.ts';
import type { Links } from './links.ts';

/** The consumer group of the stream, and the name under which the journal's offsets are kept. */
const GROUP = 'webhook';

export interface Delivery {
  /** What waits for the webhook, and what waits in the journal for Redis. */
  backlog(): Promise<Backlog>;
  close(deadlineMs: number): Promise<void>;
}

/** Begins to deliver click events to the webhook, if there is one. */
export function deliverEvents(
  { events }: Configuration,
  { store }: Links,
  logger: Logger,
  metrics: Metrics,
): Delivery {
  const waiting = () => journalBacklog(events.journal, 'pending');
  if (events.webhook === undefined) return { backlog: waiting, async close() {} };
  const consumer: EventConsumer =
    store?.openConsumer({ group: GROUP, name: hostname() }) ??
    new JournalConsumer(events.journal, GROUP, (problem) => logger.error(problem));
  const deadLetters = new DeadLetters(events.journal);
  const { path } = deadLetters;
  const webhook = new Webhook({
    consumer,
    deadLetters,
    url: events.webhook,
    ...(events.webhookToken !== undefined && { token: events.webhookToken }),
    ...(events.webhookSecret !== undefined && { secret: events.webhookSecret }),
    batchSize: events.webhookBatchSize,
    batchBytes: events.webhookBatchBytes,
    intervalMs: events.webhookIntervalMs,
    timeoutMs: events.webhookTimeoutMs,
    retryForMs: events.webhookRetryForMs,
    observer: {
      delivered: (batch, count) => logger.info({ batch, events: count }, 'events delivered'),
      retrying: (batch, reason, delayMs) =>
        logger.warn({ batch, reason, delayMs }, 'events not delivered yet'),
      leftOut: (batch, count) =>
        logger.warn(
          { batch, events: count },
          'events of a batch left out: forgotten, dropped for want of room, or in a file that cannot be read now',
        ),
      refused(count, reason) {
        metrics.count('events_dead_lettered_total', { reason: 'refused' }, count);
        logFailure(logger, 'error', reason, 'the webhook refuses an event: put aside', { path });
      },
      gaveUp(batch, count) {
        metrics.count('events_dead_lettered_total', { reason: 'given up' }, count);
        logger.error({ batch, events: count, path }, 'events given up: put aside');
      },
      lost(count, error) {
        metrics.count('events_dead_lettered_total', { reason: 'lost' }, count);
        logFailure(logger, 'error', error, 'events could not be put aside: lost', { path });
      },
      failed: (error) => logFailure(logger, 'error', error, 'events could not be read'),
    },
  });
  webhook.start();
  return {
    backlog: async () => sum(await consumer.backlog(), await waiting()),
    close: (deadlineMs) => webhook.close(deadlineMs),
  };
}

function sum(one: Backlog, other: Backlog): Backlog {
  const oldest = Math.min(one.oldest ?? Infinity, other.oldest ?? Infinity);
  const events = one.events + other.events;
  return Number.isFinite(oldest) ? { events, oldest } : { events };
}
