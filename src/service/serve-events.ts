import { hostname } from 'node:os';
import { Webhook } from '../click/webhook.ts';
import { inBackground } from '../lib/background.ts';
import { HOUR_MS } from '../lib/days.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import type { Backlog, Events } from '../store/events.ts';
import type { Context } from './context.ts';

/** The consumer group, and the name under which the journal's offsets are kept. */
const GROUP = 'webhook';
const REMOVE_EVERY_MS = HOUR_MS;
const SUM_UP_EVERY_MS = 600_000;

/**
 * Delivers click events to the webhook, if there is one, until it is released. Measures the events
 * that wait. Removes old ones, and previews that have expired, and sums up what was counted.
 */
export function serveEvents({ logger, metrics, links, releasers, config }: Context): void {
  const { events, counters, previews } = links.store;
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
  const { keepMs } = settings;
  if (keepMs !== undefined) {
    const remove = () => removeOld(events, keepMs, logger);
    releasers.add('removal of old events', every(REMOVE_EVERY_MS, 'remove old events', remove));
  }
  const removeExpired = () => previews.removeExpired();
  releasers.add(
    'removal of expired previews',
    every(REMOVE_EVERY_MS, 'remove expired previews', removeExpired),
  );
  const sumUp = (signal: AbortSignal) => counters.sumUp(signal);
  releasers.add('sums of counts', every(SUM_UP_EVERY_MS, 'sum up counts', sumUp));
  events.measure(metrics);
  metrics.gauge('events_undelivered', async () => (await backlog()).events);
  metrics.gauge('events_oldest_undelivered_seconds', async () => {
    const { oldest } = await backlog();
    return oldest === undefined ? 0 : (Date.now() - oldest) / 1000;
  });
}

/** Removes events older than `keep`. */
async function removeOld(events: Events, keepMs: number, logger: Logger): Promise<void> {
  try {
    const removed = await events.removeBefore(Date.now() - keepMs);
    if (removed > 0) logger.info({ events: removed }, 'removed events older than keep');
  } catch (error) {
    logFailure(logger, 'error', error, 'events older than keep cannot be removed now');
  }
}

/**
 * Runs a task in the background, now and again after each interval, once at a time.
 * @returns ends it, and waits until it has ended
 */
function every(
  intervalMs: number,
  task: string,
  run: (signal: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const stopped = new AbortController();
  let running: Promise<void> | undefined;
  const start = () => {
    running ??= run(stopped.signal).finally(() => {
      running = undefined;
    });
    return running;
  };
  inBackground(task, start);
  const timer = setInterval(() => inBackground(task, start), intervalMs).unref();
  return async () => {
    clearInterval(timer);
    stopped.abort();
    await running?.catch(() => {});
  };
}

function sum(one: Backlog, other: Backlog): Backlog {
  const oldest = Math.min(one.oldest ?? Infinity, other.oldest ?? Infinity);
  const events = one.events + other.events;
  return Number.isFinite(oldest) ? { events, oldest } : { events };
}
