import type { Configuration } from '../config/configuration.ts';
import type { Logger } from '../lib/logger.ts';
import {
  describePlace,
  type Listener,
  listeners,
  placesOf,
  postfixAddress,
  type Role,
  unclaimedSockets,
} from '../service/listen.ts';
import { inheritedSockets } from '../service/systemd.ts';
import { storeBackend } from '../store/open-store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/**
 * Logs inherited sockets that are not served.
 * @throws CommandFailed where there is nothing to serve at all, which another attempt would not
 * change
 */
export function assertSomethingToServe(
  config: Configuration,
  logger: Logger,
  wanted: readonly Role[],
): void {
  const expected = listeners.filter((role) => wanted.includes(role));
  for (const socket of unclaimedSockets(inheritedSockets(), expected)) {
    const names = expected.join(', ');
    logger.error(socket, `ignoring inherited socket: FileDescriptorName must be one of ${names}`);
  }
  // Health and metrics alone are nothing to serve.
  const listens = expected.some((role) => role !== 'control' && placesOf(role, config).length > 0);
  const delivers = wanted.includes('events') && config.events.webhook !== undefined;
  if (listens || delivers) return;
  const named = wanted.filter((role) => role !== 'control').join(' ');
  throw new CommandFailed(
    exitCode.configuration,
    `${config.file}: nothing is enabled that run --role ${named} could serve`,
  );
}

/** Logs where the service listens, and the line that Postfix needs. */
export function logEndpoints(config: Configuration, logger: Logger, wanted: readonly Role[]): void {
  const served = (role: Listener) => (wanted.includes(role) ? placesOf(role, config) : []);
  const [milters, redirects] = [served('milter'), served('redirect')];
  if (milters.length > 0) logger.info(`milter on ${milters.map(describePlace).join(', ')}`);
  if (redirects.length > 0) logger.info(`redirect on ${redirects.map(describePlace).join(', ')}`);
  logger.info(storeBackend(config).describe(config));
  const at = milters.map(postfixAddress).find((address) => address !== undefined);
  if (at !== undefined) {
    logger.info(`for Postfix, in main.cf: smtpd_milters = {${at}, default_action=tempfail}`);
  }
}
