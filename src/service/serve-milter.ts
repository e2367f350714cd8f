import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { clickFilter } from '../filter/click-filter.ts';
import { MessageMemory } from '../filter/message-memory.ts';
import type { MessageReport } from '../filter/report.ts';
import { inBackground } from '../lib/background.ts';
import type { Metrics } from '../lib/metrics.ts';
import { OncePerInterval } from '../lib/once-per-interval.ts';
import { whenAborted } from '../lib/when-aborted.ts';
import { createMilterServer } from '../milter/server.ts';
import type { Context } from './context.ts';
import { filterSettings } from './links.ts';
import { listening, type Place } from './listen.ts';
import { leftAloneBy, logMessage } from './log.ts';
import { logMilterEvent } from './log-milter-event.ts';
import { timedIssuer } from './timed-store.ts';
import { workerCount } from './workers/workers.ts';

/** Mail in: the milter, until it is released. */
export async function serveMilter(listens: readonly Place[], context: Context): Promise<void> {
  const { logger, metrics, links, releasers, config } = context;
  const { milter } = config();
  const memory = new MessageMemory(
    (milter.maxMemory ?? quarterOfMemory()) / workerCount(config().workers),
  );
  metrics.gauge('message_bytes', () => memory.held);
  const full = new OncePerInterval(60_000);
  const onReport = (report: MessageReport) => {
    logMessage(logger, config().log.detail, report);
    observe(metrics, report);
    if (report.reason === 'memory') {
      const messages = full.admit('memory');
      if (messages !== undefined) {
        logger.warn(
          { held: memory.held, ...(messages > 0 && { messages }) },
          'messages pass untracked: those under way hold max_memory',
        );
      }
    }
  };
  // Made anew only when the configuration is: the filter asks for it with each message.
  let settings = { of: config(), value: filterSettings(config()) };
  const filter = clickFilter({
    ...links,
    memory,
    issuer: timedIssuer(links.issuer, metrics),
    settings() {
      const now = config();
      if (settings.of !== now) settings = { of: now, value: filterSettings(now) };
      return settings.value;
    },
    onReport,
  });
  const server = createMilterServer(filter, {
    // What cannot be tracked is delivered untracked, whatever the reason.
    onException: 'accept',
    onEvent: (event) => logMilterEvent(logger, event),
    limits: {
      connections: milter.maxConnections,
      ...settings.value.limits,
      // The transform has the same limit, and lets the rest pass unread.
      bodyBytes: Number.POSITIVE_INFINITY,
    },
    timeouts: { idle: milter.idleTimeoutMs, write: milter.writeTimeoutMs },
  });
  metrics.gauge('milter_connections', () => server.connections);
  releasers.add('milter', async (hurry) => {
    const closing = server.close({ deadline: Number.POSITIVE_INFINITY });
    const drain = () => server.close({ deadline: config().milter.drainTimeoutMs });
    whenAborted(hurry, () => inBackground('close the milter', drain));
    if (server.connections > 0) {
      logger.info({ sessions: server.connections }, 'finishing SMTP sessions');
    }
    const cut = await closing;
    if (cut.length > 0) {
      logger.warn(
        { sessions: cut.length, queueIds: cut.flatMap(({ queueId }) => queueId ?? []) },
        'SMTP sessions were cut off',
      );
    }
  });
  for (const place of listens) {
    const listener = createServer();
    // Before it listens: what connects at once must not go unheard.
    await server.listen(listener);
    await listening(listener, place);
  }
}

/** Of the machine, or of the cgroup where that has less. */
function quarterOfMemory(): number {
  // Without a limit this is 0, or more than the machine has.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(totalmem(), constrained) / 4;
}

function observe(metrics: Metrics, { verdict, reason, milliseconds, links }: MessageReport): void {
  metrics.count('messages_total', { verdict, reason: reason ?? '' });
  metrics.observe('message_duration_seconds', {}, milliseconds / 1000);
  const tracked = verdict === 'tracked' ? links.filter((link) => link.tracked).length : 0;
  if (tracked > 0) metrics.count('links_total', { outcome: 'tracked', reason: '' }, tracked);
  for (const [why, count] of leftAloneBy(links)) {
    metrics.count('links_total', { outcome: 'left alone', reason: why }, count);
  }
}
