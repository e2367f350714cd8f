import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { clickFilter } from '../filter/click-filter.ts';
import { MessageMemory } from '../filter/message-memory.ts';
import type { MessageReport } from '../filter/report.ts';
import { inBackground } from '../lib/background.ts';
import {
  type Detail,
  type Fields,
  type Logger,
  logFailure,
  logLimited,
  OncePerInterval,
  showTarget,
} from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { whenAborted } from '../lib/when-aborted.ts';
import type { RewrittenLink } from '../message/link.ts';
import type { SkipReason } from '../message/skip-reasons.ts';
import type { MilterEvent } from '../milter/options.ts';
import { createMilterServer } from '../milter/server.ts';
import { Copies } from '../preview/copies.ts';
import type { Context } from './context.ts';
import { filterSettings } from './filter-settings.ts';
import { listening, type Place } from './listen.ts';
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
    const counts = countLinks(report.links);
    logMessage(logger, config().log.detail, report, counts);
    observe(metrics, report, counts);
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

function observe(
  metrics: Metrics,
  { verdict, reason, milliseconds, campaignId = '' }: MessageReport,
  { tracked, leftAlone }: LinkCounts,
): void {
  metrics.count('messages_total', { verdict, reason: reason ?? '' });
  metrics.observe('message_duration_seconds', {}, milliseconds / 1000);
  if (verdict === 'tracked' && tracked > 0) {
    metrics.count('links_total', { outcome: 'tracked', reason: '' }, tracked);
    metrics.count('campaign_messages_total', { campaign: campaignId });
  }
  for (const [why, count] of Object.entries(leftAlone ?? {})) {
    metrics.count('links_total', { outcome: 'left alone', reason: why }, count);
  }
}

/**
 * Logs an event of the milter server: where strangers can cause it, at most one line per second and
 * kind.
 */
export function logMilterEvent(logger: Logger, event: MilterEvent): void {
  const about = {
    ...('connection' in event && { peer: event.connection.client?.address }),
    ...('queueId' in event && event.queueId !== undefined && { queueId: event.queueId }),
  };
  switch (event.type) {
    case 'exception': {
      const { error, hook, answered } = event;
      const became = answered === 'accept' ? '; delivered unchanged' : '';
      const fields = { ...about, hook, answered };
      logFailure(logger, 'error', error, `filter failed on this message${became}`, fields);
      break;
    }
    case 'over-limit':
      logger.warn(
        { ...about, limit: event.limit, maximum: event.maximum },
        'message over a limit; delivered unchanged',
      );
      break;
    case 'protocol-error':
      logLimited(logger, 'warn', 'closed a connection that does not speak the milter protocol', {
        ...about,
        reason: event.error.message,
      });
      break;
    case 'timeout':
      logLimited(logger, 'warn', 'closed a connection that timed out', {
        ...about,
        waitingFor: event.waitingFor,
      });
      break;
    case 'disconnected':
      logger.warn(
        { ...about, ...(event.error && { reason: event.error.message }) },
        'MTA disconnected in the middle of a message',
      );
      break;
    case 'refused':
      logLimited(logger, 'error', 'connection refused: max_connections are open', {
        maximum: event.maximum,
      });
      break;
    case 'listener-error':
      logFailure(logger, 'error', event.error, 'listening socket failed');
      break;
  }
}

/**
 * Logs one line per message; at level debug with each of its links, whose targets it shows as
 * `detail` allows. The line names each field, since spreads would make it cost twice as much.
 */
export function logMessage(
  logger: Logger,
  detail: Detail,
  report: MessageReport,
  { tracked, leftAlone }: LinkCounts = countLinks(report.links),
): void {
  const { verdict, reason, reply, scope, queueId, messageId, campaignId, pathway, kind } = report;
  const { links, bodySize, milliseconds, notDone, problems } = report;
  const areShown = detail !== 'none' && logger.isLevelEnabled('debug');
  logger.info(
    {
      verdict,
      reason,
      reply,
      scope,
      queueId,
      messageId,
      campaignId,
      pathway,
      kind,
      bodySize,
      notDone,
      found: links.length,
      tracked,
      leftAlone,
      ms: Math.round(milliseconds * 10) / 10,
      links: areShown ? links.map((link) => describeLink(logger, detail, link)) : undefined,
    } satisfies Fields & Record<keyof Omit<MessageReport, 'milliseconds' | 'problems'>, unknown>,
    `message ${verdict}`,
  );
  for (const problem of problems) logger.warn({ queueId }, problem);
}

function describeLink(logger: Logger, detail: Detail, { part, target, reason }: RewrittenLink) {
  return { part, ...showTarget(logger, detail, target), reason };
}

interface LinkCounts {
  readonly tracked: number;
  /** Links left alone, by reason; undefined where there are none. */
  readonly leftAlone: Readonly<Partial<Record<SkipReason, number>>> | undefined;
}

function countLinks(links: readonly RewrittenLink[]): LinkCounts {
  let tracked = 0;
  let leftAlone: Partial<Record<SkipReason, number>> | undefined;
  for (const link of links) {
    if (link.tracked) tracked++;
    const { reason } = link;
    if (reason === undefined) continue;
    leftAlone ??= {};
    leftAlone[reason] = (leftAlone[reason] ?? 0) + 1;
  }
  return { tracked, leftAlone };
}
