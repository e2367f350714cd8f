import { createServer } from 'node:net';
import type { Metrics } from '../control/metrics.ts';
import { clickFilter } from '../filter/click-filter.ts';
import type { MessageReport } from '../filter/report.ts';
import { createMilterServer } from '../milter/server.ts';
import type { Context } from './context.ts';
import { filterSettings } from './links.ts';
import { listening, type Place } from './listen.ts';
import { leftAloneBy, logMessage } from './log.ts';
import { logMilterEvent } from './log-milter-event.ts';
import { timedIssuer } from './timed-store.ts';

/** Mail in: the milter, until it is released. */
export async function serveMilter(listens: readonly Place[], context: Context): Promise<void> {
  const { logger, metrics, links, releasers, config } = context;
  const { milter } = config();
  const onReport = (report: MessageReport) => {
    logMessage(logger, config().log.detail, report);
    observe(metrics, report);
  };
  // Made anew only when the configuration is: the filter asks for it with each message.
  let settings = { of: config(), value: filterSettings(config()) };
  const filter = clickFilter({
    ...links,
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
  releasers.add('milter', async () => {
    const cut = await server.close({ deadline: config().milter.drainTimeoutMs });
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

function observe(metrics: Metrics, report: MessageReport): void {
  metrics.message({
    verdict: report.verdict,
    ...(report.reason !== undefined && { reason: report.reason }),
    seconds: report.milliseconds / 1000,
    linksTracked:
      report.verdict === 'tracked' ? report.links.filter((link) => link.tracked).length : 0,
    linksLeftAlone: leftAloneBy(report.links),
  });
}
