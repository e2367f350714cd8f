// A service in several processes, as small as can be: every worker answers a connection with its pid, and does
// what a line from the client says. Events and answers go to stdout, one JSON line each; orders come on stdin.
import cluster from 'node:cluster';
import net from 'node:net';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { type Fields, type Logger, silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { inheritedSockets } from '../../../src/service/systemd.ts';
import { WorkerFailed } from '../../../src/service/workers/running-worker.ts';
import {
  serveUnderPrimary,
  type WorkerDuties,
  workerSlot,
} from '../../../src/service/workers/worker.ts';
import { Workers } from '../../../src/service/workers/workers.ts';

const settings = JSON.parse(process.env['FIXTURE'] ?? '{}');
const slot = workerSlot();
if (slot === undefined) await primary();
else await serve(slot);

async function primary(): Promise<void> {
  const print = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const event = (fields: Fields | string) => {
    const { workerPid: pid, ...rest } = fields as Fields;
    print({ ...rest, pid });
  };
  const logger: Logger = { ...silent, debug: event, error: event };
  const workers = new Workers({ ...settings.workers, logger, metrics: noMetrics });
  process.on('SIGTERM', async () => {
    await (settings.outlivesPrimary === true ? workers.leave() : workers.stop());
    process.exit(0);
  });
  try {
    const started = workers.start();
    print({ starting: true });
    await started;
  } catch (error) {
    print({ failed: String(error) });
    process.exit(error instanceof WorkerFailed ? error.exitCode : 1);
  }
  print({ serving: workers.serving });
  const { execPath } = process;
  for await (const what of createInterface(process.stdin)) {
    if (what.startsWith('{')) {
      const reloaded = workers.reload(JSON.parse(what)).then(() => null, String);
      print({ reloaded: await reloaded });
      continue;
    }
    switch (what) {
      case 'forks find no program':
        process.execPath = '/nonexistent';
        break;
      case 'forks are refused':
        process.env['TOO_LARGE'] = 'x'.repeat(200_000); // for one variable, by Linux
        break;
      case 'garbage':
        for (const worker of Object.values(cluster.workers ?? {})) {
          for (const message of garbage()) worker?.send(message as object);
        }
        break;
      case 'forks succeed':
        process.execPath = execPath;
        delete process.env['TOO_LARGE'];
        break;
      default:
        print({ answers: await workers.ask(what, 1_000) });
    }
  }
}

interface Configuration {
  readonly name: string;
  readonly startMs?: number;
  /** The pid of a worker that does not take it over. */
  readonly refusedBy?: number;
}

async function serve(number: number): Promise<void> {
  const worker = serveUnderPrimary({ outlivesPrimary: settings.outlivesPrimary === true });
  let configuration = (await worker.configuration) as Configuration | undefined;
  if (configuration !== undefined) {
    process.stdout.write(`${JSON.stringify({ given: configuration.name, pid: process.pid })}\n`);
  }
  await new Promise((resolve) => setTimeout(resolve, configuration?.startMs ?? 0));
  if (settings.failAtStart === number) process.exit(78);
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.write(`${process.pid}\n`);
    socket.on('data', (order) => {
      switch (order.toString()) {
        case 'crash':
          return process.exit(3);
        case 'garbage':
          for (const message of garbage()) process.send?.(message);
          socket.write('sent');
          return;
        case 'hang':
          for (;;);
        case 'grow':
          ballast = Buffer.alloc(200_000_000, 1);
          return;
        default:
          socket.write(order); // anything else is echoed
      }
    });
  });
  let ballast: Buffer | undefined;
  const whenListening: WorkerDuties = {
    close: () => new Promise((resolve) => server.close(() => resolve())),
    answers: {
      async reload(next) {
        const taken = next as Configuration;
        if (taken.refusedBy === process.pid) throw new Error('not with me');
        configuration = taken;
      },
      configuration: () => configuration?.name,
      slot: () => number,
      size: () => ballast?.length ?? 0,
      odd: () => {
        if (number % 2 === 1) throw new Error('I am odd');
        return Number.NaN;
      },
      never: () => new Promise(() => {}),
    },
  };
  const fd = inheritedSockets().get('milter')?.[0];
  const ready = () => worker.ready(whenListening);
  if (fd === undefined) server.listen(settings.path, ready);
  else server.listen({ fd }, ready);
}

/** What neither side expects: real messages with other values in them, and anything else. */
function garbage(): unknown[] {
  const kinds = ['hello', 'ready', 'alive', 'answer', 'begin', 'ask', 'stop ', '', 'constructor'];
  const like = fc.record(
    {
      clickmilter: fc.oneof(fc.constantFrom(...kinds), fc.anything()),
      id: fc.oneof(fc.integer(), fc.anything()),
      what: fc.oneof(fc.constantFrom('reload', 'constructor', '__proto__'), fc.anything()),
      rss: fc.oneof(fc.constantFrom(-1, Number.NaN, 1e300), fc.anything()),
      value: fc.anything(),
      error: fc.anything(),
      configuration: fc.anything(),
    },
    { requiredKeys: [] },
  );
  return fc.sample(fc.oneof(like, fc.anything()), 500).filter((message) => message !== undefined);
}
