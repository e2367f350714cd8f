import { readFileSync } from 'node:fs';
import type { Configuration } from '../config/configuration.ts';
import { logLimited } from '../lib/logger.ts';
import { createRedirect } from '../redirect/redirect.ts';
import { RedirectServer } from '../redirect/redirect-server.ts';
import { openClicks } from './clicks.ts';
import type { Context } from './context.ts';
import { grantAccess, listenOptions, type Place } from './listen.ts';
import { timedResolver } from './timed-store.ts';
import { watchFiles } from './watch-files.ts';
import { withoutStore } from './without-store.ts';

/**
 * Clicks out: the redirect endpoint, until it is released.
 * @returns what takes over certificates that have changed
 */
export async function serveRedirect(listens: readonly Place[], context: Context) {
  const { logger, metrics, links, releasers, config } = context;
  const { http } = config();
  const clicks = await openClicks(config(), links, logger, (kept, count) =>
    metrics.count('clicks_total', { outcome: kept ? 'kept' : 'lost' }, count),
  );
  releasers.addFoundation('clicks', () => clicks.close());
  const resolver =
    links.store === undefined
      ? withoutStore(links.resolver, () =>
          logLimited(
            logger,
            'warn',
            'click on a stored link, but link_store is "sealed": links sent while it was "redis" no longer work',
          ),
        )
      : links.resolver;
  const redirect = createRedirect({
    ...http,
    resolver: timedResolver(resolver, metrics),
    blocks: links.blocks,
    clicks,
    logger,
    metrics,
    detail: () => config().log.detail,
  });
  const server = new RedirectServer(redirect, {
    ...http,
    logger,
    metrics,
    ...readTls(http),
  });
  releasers.add('redirect', (hurry) => server.close(config().milter.drainTimeoutMs, hurry));
  for (const place of listens) {
    await server.listen(listenOptions(place));
    await grantAccess(place);
  }
  const reload = ({ http: next }: Configuration): void => {
    const { tls } = readTls(next);
    if (tls !== undefined) server.setTls(tls);
  };
  const { tlsCertificate, tlsKey } = http;
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    // Certificate tools need not tell us of a renewal.
    const renewed = () => {
      try {
        reload(config());
        logger.info('the certificate has changed');
      } catch (error) {
        logger.error({ err: error }, 'the new certificate cannot be used, the old one stays');
      }
    };
    releasers.add('certificate', watchFiles([tlsCertificate, tlsKey], renewed));
  }
  return { reload };
}

function readTls({ tlsCertificate, tlsKey }: Configuration['http']) {
  if (tlsCertificate === undefined || tlsKey === undefined) return {};
  const cert = readNamed('tls_certificate', tlsCertificate);
  return { tls: { cert, key: readNamed('tls_key', tlsKey) } };
}

function readNamed(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${option}: ${(error as Error).message}`, { cause: error });
  }
}
