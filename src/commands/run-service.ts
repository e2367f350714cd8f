import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { configurationInUse, type Loaded, loadConfig, type NodesInUse } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { changedSettings, readSettings } from '../config/settings.ts';
import { inBackground } from '../lib/background.ts';
import { logFailure } from '../lib/logger.ts';
import {
  clearWay,
  isShared,
  listeners,
  placesOf,
  type Role,
  WrongPlace,
} from '../service/listen.ts';
import { type Log, openLog } from '../service/log.ts';
import { ProcessMetrics, readSnapshot } from '../service/metrics.ts';
import { handleSignals } from '../service/signals.ts';
import { inheritedSockets, Notifier } from '../service/systemd.ts';
import { type RunningWorker, WorkerFailed } from '../service/workers/running-worker.ts';
import { Workers, workerCount } from '../service/workers/workers.ts';
import { version } from '../version.ts';
import { configuredFully } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { machineProblems } from './machine-problems.ts';
import { assertSomethingToServe, logEndpoints } from './startup-summary.ts';

const ASK_MS = 5_000;

/** What the command line asks for. */
export interface Asked {
  readonly wanted: readonly Role[];
  /** Whether the sessions go on without this process once it is stopped. */
  readonly handOver: boolean;
}

/**
 * `clickmilter run` in the process that the others belong to.
 * @param ahead a worker that was forked before its configuration was known
 */
export async function runService(
  program: Command,
  asked: Asked,
  ahead?: RunningWorker,
): Promise<void> {
  try {
    const read = configuredFully(program);
    const log = openLog(read.config.log);
    process.once('exit', log.flushNow);
    try {
      await run(read, log, asked, ahead);
    } finally {
      await log.flush();
    }
  } finally {
    // Where it never came to serve, it would keep this process.
    if (ahead?.begun === false) ahead.kill();
  }
}

/** A configuration and the nodes it was made of. */
type Read = Pick<Loaded, 'nodes' | 'root'> & { readonly config: Configuration };

/** What runs, in one process or in several. */
interface Running {
  /** Reopens the log in every process. */
  reopen(): void;
  reload(config: Configuration, nodes: NodesInUse): Promise<void>;
  close(): Promise<void>;
  kill(): void;
}

async function run(read: Read, log: Log, asked: Asked, ahead?: RunningWorker): Promise<void> {
  const { config } = read;
  const { logger } = log;
  const notifier = new Notifier(logger);
  let running: Running | undefined;
  let stopping = false;
  // First of all: by default a SIGHUP would end the service that is starting.
  const stopped = new Promise<void>((resolve) => {
    handleSignals({
      // Also while it starts: the first workers may have sessions by then.
      stop() {
        stopping = true;
        resolve();
      },
      stopNow() {
        running?.kill();
        process.exit(1);
      },
      async reload() {
        const reloading = await serving.catch(() => undefined);
        if (reloading === undefined) return; // it did not start, which is said below
        await notifier.reloading();
        await reload(read, reloading, log, () => stopping);
        await notifier.ready('serving');
      },
    });
  });
  const serving = (async () => {
    running = await start(read, log, asked, ahead);
    logEndpoints(config, logger, asked.wanted);
    await notifier.ready('serving');
    notifier.startWatchdog();
    return running;
  })();
  const served = await serving;
  await stopped;
  logger.info(
    asked.handOver
      ? 'stopping: the workers go on with their sessions'
      : 'stopping: sessions that have begun are finished first',
  );
  await notifier.stopping('finishing sessions');
  try {
    await served.close();
  } catch {
    // Said where it happened. What did not end would keep the process.
    await log.flush();
    process.exit(1);
  }
  logger.info('stopped');
}

/** @throws CommandFailed where the service cannot start */
async function start(
  read: Read,
  log: Log,
  asked: Asked,
  ahead: RunningWorker | undefined,
): Promise<Running> {
  const { config, root } = read;
  const { wanted, handOver } = asked;
  const served = wanted.filter(isShared).some((role) => placesOf(role, config).length > 0);
  const several = served && (handOver || workerCount(config.workers) > 1);
  if (!several) ahead?.kill();
  try {
    assertSomethingToServe(config, log.logger, wanted);
    return await (several
      ? startWorkers(read, log, asked, ahead)
      : startAlone(config, log, wanted));
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    // It may be one of these.
    const ours = listeners.filter((role) => wanted.includes(role));
    for (const problem of machineProblems(root, ours)) log.logger.error(formatProblem(problem));
    if (error instanceof WorkerFailed) throw new CommandFailed(error.exitCode, error.message);
    const code = error instanceof WrongPlace ? exitCode.configuration : exitCode.unavailable;
    throw new CommandFailed(code, (error as Error).message);
  }
}

async function startAlone(
  config: Configuration,
  { logger, reopen }: Log,
  wanted: readonly Role[],
): Promise<Running> {
  const { startService } = await import('../service/service.ts');
  const service = await startService(config, { logger, roles: wanted });
  return {
    reopen,
    reload: (next) => service.reload(next),
    close: () => service.close(),
    kill() {},
  };
}

async function startWorkers(
  { config, nodes }: Read,
  { logger, reopen, flush }: Log,
  { wanted, handOver }: Asked,
  ahead: RunningWorker | undefined,
): Promise<Running> {
  const inherited = inheritedSockets();
  for (const role of wanted.filter(isShared)) await clearWay(placesOf(role, config));
  const inUse: NodesInUse = { file: config.file, started: nodes, latest: nodes };
  const metrics = new ProcessMetrics('main', version);
  const workers = new Workers({
    count: workerCount(config.workers),
    ...(ahead && { ahead }),
    configuration: inUse,
    maxRss: config.workerMaxMemory,
    graceMs: config.milter.drainTimeoutMs + 10_000,
    logger,
    metrics,
    lastDied() {
      if (inherited.size === 0) return;
      inBackground('write the log', () => flush().finally(() => process.exit(1)));
    },
  });
  await workers.start();
  // Loaded when the workers serve: until then nobody listens, and this takes their time.
  const { startService } = await import('../service/service.ts');
  const primary = await startService(config, {
    logger,
    metrics,
    roles: wanted.filter((role) => !isShared(role)),
    workers: {
      serving: () => workers.serving.length,
      snapshots: async () => answersOf(await workers.ask('metrics', ASK_MS), readSnapshot),
      settings: async () => answersOf(await workers.ask('settings', ASK_MS), readSettings),
    },
  }).catch(async (error) => {
    await workers.stop();
    throw error;
  });
  return {
    reopen() {
      reopen();
      inBackground('reopen the log', () => workers.ask('reopen', ASK_MS));
    },
    async reload(next, nextNodes) {
      await primary.reload(next);
      await workers.reload(nextNodes);
    },
    async close() {
      if (handOver) {
        // Links and mail are served until the last moment, since delivering events may take its
        // time.
        await primary.close().finally(() => workers.leave());
        return;
      }
      const [, closed] = await Promise.allSettled([workers.stop(), primary.close()]);
      if (closed.status === 'rejected') throw closed.reason;
    },
    kill() {
      if (!handOver) workers.kill();
    },
  };
}

/** What those that answered said, as far as it can be read. */
function answersOf<T>(
  answers: readonly PromiseSettledResult<unknown>[],
  read: (value: unknown) => T | undefined,
): readonly T[] {
  const said = answers.map((answer) =>
    answer.status === 'fulfilled' ? read(answer.value) : undefined,
  );
  return said.filter((one) => one !== undefined);
}

/**
 * Opens the log again; then parses, checks, and swaps: on any error the old configuration stays in
 * use.
 */
async function reload(
  started: Read,
  running: Running,
  { logger }: Log,
  isStopping: () => boolean,
): Promise<void> {
  running.reopen();
  const { file } = started.config;
  const { config, nodes, problems } = loadConfig(file);
  for (const problem of problems) logger.warn(formatProblem(problem));
  if (config === undefined) {
    logger.error({ file }, 'not reloaded: the configuration has errors, the old one stays in use');
    return;
  }
  const inUse: NodesInUse = { file, started: started.nodes, latest: nodes };
  const taken = configurationInUse(inUse);
  const { restart: changed } = changedSettings([taken.settings()], config.settings());
  if (changed.length > 0) logger.warn({ changed }, 'these settings take effect at a restart');
  try {
    await running.reload(taken, inUse);
    logger.info({ file }, 'reloaded');
  } catch (error) {
    if (isStopping()) logger.info('reload abandoned: the service stops');
    else
      logFailure(
        logger,
        'error',
        error,
        'reload failed: processes that failed keep the old configuration',
      );
  }
}
