import { type Logger, logFailure, logLimited } from '../lib/logger.ts';
import type { MilterEvent } from '../milter/options.ts';

/** Logs what the milter server reports to its operator: one short line for each kind and second. */
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
        'the MTA went away in the middle of a message',
      );
      break;
    case 'refused':
      logLimited(logger, 'error', 'too many connections: one was refused', {
        maximum: event.maximum,
      });
      break;
    case 'listener-error':
      logFailure(logger, 'error', event.error, 'a listening socket failed');
      break;
  }
}
