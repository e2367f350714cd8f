import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { clickFilter } from '../filter/click-filter.ts';
import { MessageMemory } from '../filter/message-memory.ts';
import type { MessageReport } from '../filter/report.ts';
import { inBackground } from '../lib/background.ts';
import { OncePerInterval } from '../lib/logger.ts';
import { whenAborted } from '../lib/when-aborted.ts';
import { createMilterServer } from '../milter/server.ts';
import { Copies } from '../preview/copies.ts';
import type { Context } from './context.ts';
import { filterSettings } from './filter-settings.ts';
import { listening, type Place } from './listen.ts';
import { logMilterEvent, reportMessage } from './mail-log.ts';
import { timedIssuer } from './store-watch.ts';
import { workerCount } from './workers/workers.ts';

/** Serves the milter until it is released. */
export async function serveMilter(listens: readonly Place[], context: Context): Promise<void> {
  const { logger, metrics, links, releasers, config } = context;
  const { milter } = config();
  const memory = new MessageMemory(
    (milter.maxMemory ?? quarterOfMemory()) / workerCount(config().workers),
  );
  metrics.gauge('message_bytes', () => memory.held);
  metrics.count('messages_total', { verdict: 'tracked', reason: '' }, 0);
  const full = new OncePerInterval(60_000);
  const onReport = (report: MessageReport) => {
    reportMessage(logger, metrics, config().log.detail, report);
    if (report.reason === 'memory') {
      const messages = full.admit('memory');
      if (messages !== undefined) {
        logger.warn(
          { held: memory.held, ...(messages > 0 && { messages }) },
          'messages delivered untracked: the messages under way hold max_memory',
        );
      }
    }
  };
  // The filter asks for its settings with each message: they are made again only when the
  // configuration changes.
  let settings = { of: config(), value: filterSettings(config()) };
  const filter = clickFilter({
    ...links,
    memory,
    previews: new Copies(links.store.previews),
    issuer: timedIssuer(links.issuer, metrics),
    settings() {
      const now = config();
      if (settings.of !== now) settings = { of: now, value: filterSettings(now) };
      return settings.value;
    },
    onReport,
  });
  const server = createMilterServer(filter, {
    // Mail that cannot be tracked is delivered untracked, for whatever reason.
    onException: 'accept',
    onEvent: (event) => logMilterEvent(logger, event),
    limits: {
      connections: milter.maxConnections,
      // The filter has these limits itself, and removes headers from a message beyond one.
      recipients: Number.POSITIVE_INFINITY,
      headerCount: Number.POSITIVE_INFINITY,
      headerBytes: Number.POSITIVE_INFINITY,
      bodyBytes: Number.POSITIVE_INFINITY,
    },
    timeouts: { idle: milter.idleTimeoutMs, write: milter.writeTimeoutMs },
  });
  metrics.gauge('milter_connections', () => server.connections);
  releasers.add('milter', async (hurry) => {
    const closing = server.close({ deadline: Number.POSITIVE_INFINITY });
    const drain = () => server.close({ deadline: config().milter.drainTimeoutMs });
    whenAborted(hurry, () => inBackground('close the milter', drain));
    const sessions = server.connections;
    if (sessions > 0) logger.info({ sessions }, 'finishing SMTP sessions');
    const cut = await closing;
    if (sessions > cut.length) {
      logger.info({ sessions: sessions - cut.length }, 'SMTP sessions finished');
    }
    if (cut.length > 0) {
      logger.warn(
        { sessions: cut.length, queueIds: cut.flatMap(({ queueId }) => queueId ?? []) },
        'SMTP sessions cut off: the MTA applies its default_action',
      );
    }
  });
  for (const place of listens) {
    const listener = createServer();
    // Before the socket listens, so that no connection is missed.
    await server.listen(listener);
    await listening(listener, place);
  }
}

/** A quarter of the memory of the machine, or of its cgroup where that has less. */
function quarterOfMemory(): number {
  // Without a limit this is 0, or more than the machine has.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(totalmem(), constrained) / 4;
}
