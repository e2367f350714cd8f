import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readSettings, type Settings } from '../config/settings.ts';
import { inBackground } from '../lib/background.ts';
import { hostName } from '../lib/host-name.ts';
import { reasonOf } from '../lib/logger.ts';
import { NOBODY } from '../store/opt-outs.ts';
import type { Context } from './context.ts';
import { listening, type Place, type Role } from './listen.ts';
import { exposition, type MetricsSnapshot } from './metrics.ts';

/** The other processes of the service, as the primary sees them. */
export interface OtherProcesses {
  /** How many serve now. */
  serving(): number;
  snapshots(): Promise<readonly MetricsSnapshot[]>;
  /** The settings in use of each process. */
  settings(): Promise<readonly Settings[]>;
}

/**
 * Serves health, metrics and the settings in use until they are released.
 * @param roles the roles of the service, those of its workers included
 * @param workers the workers, where this process is their primary
 */
export async function serveControl(
  listens: readonly Place[],
  { links, metrics, releasers, config }: Context,
  roles: readonly Role[],
  workers?: OtherProcesses,
): Promise<void> {
  const ready = async () => {
    // Links that are stored are found, although no new ones can be stored, or no mail be tracked.
    const tracks = roles.includes('milter');
    const { store } = links;
    const missing = await Promise.all([
      store.health().then(
        ({ failures }) => (tracks ? failures : []),
        (error: Error) => [error.message],
      ),
      tracks
        ? store.optOuts.hasAny([NOBODY]).then(
            () => [],
            (error: Error) => [error.message],
          )
        : [],
    ]);
    return [...(workers?.serving() === 0 ? ['no worker serves'] : []), ...new Set(missing.flat())];
  };
  metrics.gauge('ready', async () => ((await missing({ ready })).length === 0 ? 1 : 0));
  for (const place of listens) {
    const server = createControlServer({
      ready,
      inUse: async () => ({
        pid: process.pid,
        file: config().file,
        roles,
        processes: [config().settings(), ...((await workers?.settings()) ?? [])],
      }),
      snapshots: async () => [await metrics.snapshot(), ...((await workers?.snapshots()) ?? [])],
      trackingHosts: () => config().scopes.trackingHosts,
    });
    await listening(server, place);
    releasers.add('control', () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

export interface ControlOptions {
  /**
   * Whether work could be done right now: the store answers, opt-outs are known. Settles with
   * one line for each thing that is missing; a rejection counts as not ready.
   */
  readonly ready: () => Promise<readonly string[]>;
  readonly inUse: () => Promise<InUse>;
  /** One snapshot per process. */
  readonly snapshots: () => Promise<readonly MetricsSnapshot[]>;
  /** The names of all tracking domains. */
  readonly trackingHosts: () => ReadonlySet<string>;
  /** Milliseconds `ready` may take; default 2,000. */
  readonly readyWithinMs?: number;
}

/** The settings with which a service runs, for `doctor`. */
export interface InUse {
  /** The main process, which a SIGHUP reloads. */
  readonly pid: number;
  /** The configuration file. */
  readonly file: string;
  readonly roles: readonly string[];
  /** The settings of each process. */
  readonly processes: readonly Settings[];
}

/**
 * Creates the server of `/healthz` (the process is alive), `/readyz` (it can work: 200, or 503 and
 * why not), `/config` (the settings in use, as hashes), `/metrics`, and `/tls-ask` (200 for the
 * domains that a web server in front may get certificates for): plain HTTP without authentication,
 * so not for the public. The caller makes it listen.
 */
export function createControlServer(options: ControlOptions): Server {
  const routes: Routes = {
    '/healthz': async () => ({ status: 200, text: 'alive\n' }),
    '/readyz': () => readiness(options),
    '/config': async () => ({
      status: 200,
      text: `${JSON.stringify(await options.inUse())}\n`,
      contentType: 'application/json',
    }),
    '/metrics': async () => ({ status: 200, ...(await exposition(await options.snapshots())) }),
    '/tls-ask': async (query) =>
      options.trackingHosts().has(hostName(query.get('domain') ?? ''))
        ? { status: 200, text: 'a tracking domain\n' }
        : { status: 404, text: 'expected ?domain= with a tracking domain of the configuration\n' },
  };
  return createServer((request, response) => {
    inBackground('answer on the control listener', async () =>
      send(await answer(routes, request), request, response),
    );
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string;
}

type Routes = Readonly<Record<string, (query: URLSearchParams) => Promise<Answer>>>;

async function answer(routes: Routes, request: IncomingMessage): Promise<Answer> {
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const route = routes[path];
  if (route === undefined)
    return { status: 404, text: `expected one of ${Object.keys(routes).join(' ')}\n` };
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { status: 405, text: 'GET or HEAD\n' };
  try {
    return await route(new URLSearchParams(query));
  } catch (error) {
    return { status: 500, text: `${reasonOf(error)}\n` };
  }
}

async function readiness(options: ControlOptions): Promise<Answer> {
  const lines = await missing(options);
  if (lines.length === 0) return { status: 200, text: 'ready\n' };
  return { status: 503, text: `${lines.join('\n')}\n` };
}

/** The conditions that are missing to be ready, one line for each. */
async function missing({
  ready,
  readyWithinMs = 2_000,
}: Pick<ControlOptions, 'ready' | 'readyWithinMs'>): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(resolve, readyWithinMs, [`no answer within ${readyWithinMs} ms`]);
  });
  const lines = await Promise.race([ready().catch((error) => [reasonOf(error)]), late]);
  clearTimeout(timer);
  return lines;
}

function send(reply: Answer, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType ?? 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(reply.text),
    'Cache-Control': 'no-store',
    ...(reply.status === 405 ? { Allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : reply.text);
}

/** The answer of `/config`; undefined for anything else. */
export function readInUse(answer: unknown): InUse | undefined {
  const { pid, file, roles, processes } = Object(answer) as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof file !== 'string' || !Array.isArray(roles))
    return undefined;
  const read = Array.isArray(processes) ? processes.map(readSettings) : [undefined];
  const settings = read.filter((one) => one !== undefined);
  return settings.length < read.length
    ? undefined
    : { pid, file, roles: roles.map(String), processes: settings };
}
