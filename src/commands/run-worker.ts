import type { Configuration } from '../config/configuration.ts';
import { configurationInUse, type NodesInUse } from '../config/load.ts';
import { inBackground } from '../lib/background.ts';
import { complain } from '../lib/systemd-journal.ts';
import type { Role } from '../service/listen.ts';
import { type Log, openLog } from '../service/log.ts';
import { startService } from '../service/service.ts';
import { isSuccessor, serveUnderPrimary } from '../service/workers/worker.ts';
import { exitCode } from './exit-code.ts';

/**
 * How often a worker without a primary opens its log and reads its keys again: nobody tells it when
 * they change.
 */
const REFRESH_MS = 10_000;

/** `clickmilter run` in a worker. */
export async function runWorker(
  roles: readonly Role[],
  slot: number,
  handOver: boolean,
): Promise<void> {
  const primary = serveUnderPrimary({ outlivesPrimary: handOver });
  let log: Log | undefined;
  try {
    const config = handedOver(await primary.configuration);
    log = openLog(config.log);
    const { logger, reopen, flush, flushNow } = log;
    process.once('exit', flushNow);
    const service = await startService(config, {
      logger,
      roles,
      worker: String(slot),
      mustServe: isSuccessor(),
    });
    const refresh = () => {
      reopen();
      inBackground('read the keys', () => service.readKeys());
    };
    primary.ready({
      async close(hurry) {
        if (handOver) setInterval(refresh, REFRESH_MS).unref();
        // Without this, a session that is never silent could keep the worker for ever.
        const latest = AbortSignal.timeout(config.milter.idleTimeoutMs);
        try {
          await service.close(AbortSignal.any([hurry, latest]));
        } finally {
          await flush();
        }
      },
      answers: {
        metrics: () => service.metrics.snapshot(),
        settings: () => service.settings(),
        reopen,
        async reload(latest) {
          reopen(); // one that was starting was not asked to
          await service.reload(handedOver(latest));
        },
      },
    });
  } catch (error) {
    complain(`clickmilter: worker ${slot}: ${(error as Error).message}`);
    await log?.flush();
    process.exit(exitCode.unavailable); // by itself it would not end while the primary is there
  }
}

/**
 * In a worker: the configuration that its primary has in use, and has checked. One that starts
 * hours later must not read the file on disk: it may have been edited since, and have errors.
 */
function handedOver(nodes: unknown): Configuration {
  try {
    return configurationInUse(nodes as NodesInUse);
  } catch (error) {
    throw new Error(`configuration of the primary: ${(error as Error).message}`, { cause: error });
  }
}
