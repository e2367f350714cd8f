import { hostname } from 'node:os';
import { Webhook } from '../click/webhook.ts';
import { inBackground } from '../lib/background.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import type { Backlog, Events } from '../store/store.ts';
import type { Context } from './service.ts';

/** The consumer group, and the name under which the journal's offsets are kept. */
const GROUP = 'webhook';

/**
 * Delivers click events to the webhook, if there is one, until it is released. Measures the events
 * that wait.
 */
export function serveEvents({ logger, metrics, links, releasers, config }: Context): void {
  const { events } = links.store;
  const settings = config().events;
  let backlog = () => events.waiting();
  if (settings.webhook !== undefined) {
    const consumer = events.openConsumer({ group: GROUP, name: hostname() });
    const webhook = new Webhook({
      ...settings,
      webhook: settings.webhook,
      consumer,
      deadLetters: events.deadLetters,
      logger,
      metrics,
    });
    webhook.start();
    backlog = async () => sum(await consumer.backlog(), await events.waiting());
    releasers.add('webhook', () => webhook.close(config().milter.drainTimeoutMs));
  }
  if (settings.keepMs !== undefined) {
    releasers.add('removal of old events', removeOld(events, settings.keepMs, logger));
  }
  events.measure(metrics);
  metrics.gauge('events_undelivered', async () => (await backlog()).events);
  metrics.gauge('events_oldest_undelivered_seconds', async () => {
    const { oldest } = await backlog();
    return oldest === undefined ? 0 : (Date.now() - oldest) / 1000;
  });
}

const REMOVE_EVERY_MS = 3_600_000;

/** Removes events older than `keep`, now and every hour. @returns ends that */
function removeOld(events: Events, keepMs: number, logger: Logger): () => void {
  const remove = async () => {
    try {
      const removed = await events.removeBefore(Date.now() - keepMs);
      if (removed > 0) logger.info({ events: removed }, 'removed events older than keep');
    } catch (error) {
      logFailure(logger, 'error', error, 'events older than keep cannot be removed now');
    }
  };
  inBackground('remove old events', remove);
  const timer = setInterval(() => inBackground('remove old events', remove), REMOVE_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function sum(one: Backlog, other: Backlog): Backlog {
  const oldest = Math.min(one.oldest ?? Infinity, other.oldest ?? Infinity);
  const events = one.events + other.events;
  return Number.isFinite(oldest) ? { events, oldest } : { events };
}
