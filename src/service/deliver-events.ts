import { hostname } from 'node:os';
import { Webhook } from '../click/webhook.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Backlog, Events } from '../store/store.ts';

/** The consumer group, and the name under which the journal's offsets are kept. */
const GROUP = 'webhook';

export interface Delivery {
  /** Events that wait for the webhook, and events that wait for the store. */
  backlog(): Promise<Backlog>;
  close(deadlineMs: number): Promise<void>;
}

/** Begins to deliver click events to the webhook, if there is one. */
export function deliverEvents(
  { events: settings }: Configuration,
  events: Events,
  logger: Logger,
  metrics: Metrics,
): Delivery {
  const { webhook: url, webhookToken: token, webhookSecret: secret } = settings;
  if (url === undefined) return { backlog: () => events.waiting(), async close() {} };
  const consumer = events.openConsumer({ group: GROUP, name: hostname() });
  const webhook = new Webhook({
    consumer,
    deadLetters: events.deadLetters,
    url,
    ...(token !== undefined && { token }),
    ...(secret !== undefined && { secret }),
    batchSize: settings.webhookBatchSize,
    batchBytes: settings.webhookBatchBytes,
    intervalMs: settings.webhookIntervalMs,
    timeoutMs: settings.webhookTimeoutMs,
    retryForMs: settings.webhookRetryForMs,
    logger,
    metrics,
  });
  webhook.start();
  return {
    backlog: async () => sum(await consumer.backlog(), await events.waiting()),
    close: (deadlineMs) => webhook.close(deadlineMs),
  };
}

function sum(one: Backlog, other: Backlog): Backlog {
  const oldest = Math.min(one.oldest ?? Infinity, other.oldest ?? Infinity);
  const events = one.events + other.events;
  return Number.isFinite(oldest) ? { events, oldest } : { events };
}
