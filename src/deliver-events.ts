import { hostname } from 'node:os';
import type { Configuration } from './config/configuration.ts';
import { JournalConsumer } from './event/journal-consumer.ts';
import { Webhook } from './event/webhook.ts';
import type { Links } from './links.ts';
import type { Logger } from './log.ts';

/** The consumer group of the stream, and the name under which the journal's offsets are kept. */
const GROUP = 'webhook';

/** Begins to deliver click events to the webhook, if there is one. @returns what ends it */
export function deliverEvents(
  { events }: Configuration,
  { store }: Links,
  logger: Logger,
): (deadlineMs: number) => Promise<void> {
  if (events.webhook === undefined) return async () => {};
  const webhook = new Webhook({
    consumer:
      store?.openConsumer({ group: GROUP, name: hostname() }) ??
      new JournalConsumer(events.journal, GROUP),
    url: events.webhook,
    ...(events.webhookToken !== undefined && { token: events.webhookToken }),
    ...(events.webhookSecret !== undefined && { secret: events.webhookSecret }),
    batchSize: events.webhookBatchSize,
    intervalMs: events.webhookIntervalMs,
    timeoutMs: events.webhookTimeoutMs,
    retryForMs: events.webhookRetryForMs,
    observer: {
      delivered: (batch, count) => logger.info({ batch, events: count }, 'events delivered'),
      retrying: (batch, reason, delayMs) =>
        logger.warn({ batch, reason, delayMs }, 'events not delivered yet'),
      gaveUp: (batch, count) => logger.error({ batch, events: count }, 'events given up'),
      failed: (error) => logger.error({ err: error }, 'events could not be read'),
    },
  });
  webhook.start();
  return (deadlineMs) => webhook.close(deadlineMs);
}
