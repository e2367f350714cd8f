import type { MilterEvent } from '../milter/event.ts';
import type { Logger } from './log.ts';

/** What the milter server tells its operator, as log lines. */
export function logMilterEvent(logger: Logger, event: MilterEvent): void {
  const about = {
    ...('connection' in event && { peer: event.connection.client?.address }),
    ...('queueId' in event && event.queueId !== undefined && { queueId: event.queueId }),
  };
  switch (event.type) {
    case 'exception':
      logger.error(
        { ...about, err: event.error, hook: event.hook, answered: event.answered },
        'a message could not be worked on',
      );
      break;
    case 'over-limit':
      logger.warn(
        { ...about, limit: event.limit, maximum: event.maximum },
        'a message over a limit passes untouched',
      );
      break;
    case 'protocol-error':
      logger.error({ ...about, err: event.error }, 'a connection that does not speak milter');
      break;
    case 'timeout':
      logger.warn({ ...about, waitingFor: event.waitingFor }, 'a connection timed out');
      break;
    case 'disconnected':
      logger.warn({ ...about, err: event.error }, 'the MTA went away in the middle of a message');
      break;
    case 'refused':
      logger.error({ maximum: event.maximum }, 'too many connections: one was refused');
      break;
    case 'listener-error':
      logger.error({ err: event.error }, 'a listening socket failed');
      break;
  }
}
