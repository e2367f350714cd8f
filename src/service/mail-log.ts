import type { MessageReport } from '../filter/report.ts';
import {
  type Detail,
  type Fields,
  type Logger,
  logFailure,
  logLimited,
  showTarget,
} from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { RewrittenLink } from '../message/link.ts';
import type { SkipReason } from '../message/skip-reasons.ts';
import type { MilterEvent } from '../milter/options.ts';

/* Reports on mail for operators: a line per message and its metrics, and events of the milter. */

/** @param detail how much of targets the log shows */
export function reportMessage(
  logger: Logger,
  metrics: Metrics,
  detail: Detail,
  report: MessageReport,
): void {
  const counts = countLinks(report.links);
  logMessage(logger, detail, report, counts);
  observe(metrics, report, counts);
}

/**
 * Logs one line per message; at level debug with each of its links, whose targets it shows as
 * `detail` allows. The line names each field, since spreads would make it cost twice as much.
 */
function logMessage(
  logger: Logger,
  detail: Detail,
  report: MessageReport,
  { tracked, leftAlone }: LinkCounts,
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
