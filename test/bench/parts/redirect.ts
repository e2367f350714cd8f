import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as RedisClient } from 'ioredis';
import type { Redis } from '../../helpers/redis.ts';
import type { Build } from '../builds.ts';
import type { Bench, Measure, Part } from '../harness.ts';
import { type HttpFigures, httpLoad } from '../http-load.ts';
import { bareRedirect, type HttpServer, nginx } from '../http-servers.ts';
import { newsletters } from '../newsletters.ts';
import { Rounds } from '../rounds.ts';
import { type Service, startService, TRACKING_DOMAIN } from '../service.ts';
import { trackedUrls } from '../tracked-urls.ts';

const OURS = 'clickmilter';
const BARE = 'bare node:http';
/** Longer than the default of `automatic_within`, after which a click is counted. */
const COUNTED_MS = 12_000;
const CONNECTIONS = 64;
/** Times 48 links: so many that no flood on one of them is suspected. */
const MESSAGES = 500;

type Figures = HttpFigures & { cpu: number };

/** Following links: beside a web server that does nothing, and one on Node that does only the store's work. */
export const redirect: Part = {
  name: 'redirect',
  async run(bench) {
    const redis = await bench.redis();
    const service = await startService(bench, OURS, { redis });
    const sealed = await startService(bench, 'sealed');
    const bare = await bareRedirect(bench, redis);
    const web = await bench.attempt(() => nginx(bench));

    const stored = await pathsFile(bench, service);
    const sealedPaths = await pathsFile(bench, sealed);
    await storeForBare(redis, stored.tokens);
    const server =
      (http: HttpServer, file: string, stream?: string) =>
      async (seconds = bench.options.seconds) => {
        const clicksBefore = stream ? await entriesAdded(redis, stream) : 0;
        const figures = await followLinks(http, file, seconds);
        const clicks = stream ? (await entriesAdded(redis, stream)) - clicksBefore : 0;
        if (stream && clicks < figures.requests) {
          throw new Error(`${figures.requests} links followed, but ${clicks} clicks in ${stream}`);
        }
        return figures;
      };
    const onNode = {
      [OURS]: server({ ...service, port: service.httpPort }, stored.file, `${OURS}:events`),
      sealed: server({ ...sealed, port: sealed.httpPort }, sealedPaths.file),
      [BARE]: server(bare, stored.file, 'bare:events'),
    };
    // As milters on Node are warmed up, and for the same reason.
    for (const measure of Object.values(onNode)) await measure(10 * bench.options.seconds);
    const rounds = await Rounds.run<keyof Figures>(bench.options.rounds, {
      ...onNode,
      'nginx return 302': web && server(web, stored.file),
    });
    const cpu = 'redirect: CPU a request';
    return [
      ...rounds.row(cpu, 'cpu', 'µs', OURS, 'nginx return 302', { atMost: 4 }),
      ...rounds.row(cpu, 'cpu', 'µs', OURS, BARE),
      ...rounds.row(cpu, 'cpu', 'µs', BARE, 'nginx return 302'),
      ...rounds.row(cpu, 'cpu', 'µs', 'sealed', 'nginx return 302'),
      ...rounds.row('redirect: requests a second', 'rate', '/s', OURS, BARE, {
        atLeast: 0.8,
      }),
      ...rounds.row('redirect: requests a second', 'rate', '/s', OURS, 'nginx return 302'),
      ...rounds.row('redirect: p50', 'p50', 'ms', OURS, BARE),
      ...rounds.row('redirect: p99', 'p99', 'ms', OURS, BARE),
      ...rounds.row('redirect: p99', 'p99', 'ms', OURS, 'nginx return 302'),
      rounds.absolute('redirect: p99', 'p99', 'ms', OURS, { atMost: 10 }),
    ];
  },
};

/** The redirect of this build and of an earlier one, in turn, and the least on Node. */
export function redirectAgainst({ cli }: Build): Part {
  return {
    name: 'redirect',
    async run(bench) {
      const redis = await bench.redis();
      const servers: Record<string, HttpServer> = {};
      const files: Record<string, string> = {};
      for (const [name, settings] of Object.entries({ new: { redis }, old: { redis, cli } })) {
        const service = await startService(bench, name, settings);
        servers[name] = { ...service, port: service.httpPort };
        const { file, tokens } = await pathsFile(bench, service);
        files[name] = file;
        if (name === 'new') await storeForBare(redis, tokens);
      }
      servers[BARE] = await bareRedirect(bench, redis);
      files[BARE] = files['new'] ?? '';
      const clicks = Object.entries(servers).map(([name, server]) => ({
        name,
        server,
        follow: (seconds = bench.options.seconds) =>
          followLinks(server, files[name] ?? '', seconds),
      }));
      const untilCounted = () => sleep(bench.options.quick ? 0 : COUNTED_MS);
      for (const { follow } of clicks) await follow(10 * bench.options.seconds);
      await untilCounted();
      const totals = clicks.map(({ name, server, follow }) => new Total(name, server, follow));
      const turns = 2 * bench.options.rounds;
      const rounds = await Rounds.run<keyof Figures>(
        turns,
        Object.fromEntries(totals.map((total) => [total.name, () => total.follow()])),
      );
      await untilCounted();
      const [ours, ...others] = totals.map(({ measure }) => measure) as [Measure, ...Measure[]];
      return [
        ...rounds.row('redirect: requests per second', 'rate', '/s', 'new', 'old', {
          atLeast: 1.3,
        }),
        ...rounds.row('redirect: requests per second', 'rate', '/s', 'new', BARE),
        ...rounds.row('redirect: CPU per request', 'cpu', 'µs', 'new', 'old'),
        ...rounds.row('redirect: CPU per request', 'cpu', 'µs', 'new', BARE),
        ...others.map((beside) => ({
          what: 'redirect: CPU per click, counted',
          ours,
          beside,
          ratio: ours.value / beside.value,
        })),
        ...rounds.row('redirect: p50', 'p50', 'ms', 'new', 'old'),
        ...rounds.row('redirect: p99', 'p99', 'ms', 'new', 'old', { atMost: 1 }),
      ];
    },
  };
}

/**
 * All CPU of a redirect, divided by all its clicks: it counts most of them when a turn is over, once
 * nothing can reclassify them any more.
 */
class Total {
  readonly name: string;
  readonly #server: HttpServer;
  readonly #follow: () => Promise<Figures>;
  readonly #start: number;
  #requests = 0;

  constructor(name: string, server: HttpServer, follow: () => Promise<Figures>) {
    this.name = name;
    this.#server = server;
    this.#follow = follow;
    this.#start = server.process.cpu();
  }

  async follow(): Promise<Figures> {
    const figures = await this.#follow();
    this.#requests += figures.requests;
    return figures;
  }

  get measure(): Measure {
    const value = (this.#server.process.cpu() - this.#start) / this.#requests;
    return { who: this.name, value, unit: 'µs' };
  }
}

async function followLinks(server: HttpServer, paths: string, seconds: number): Promise<Figures> {
  const before = server.process.cpu();
  const figures = await httpLoad({
    port: server.port,
    host: TRACKING_DOMAIN,
    paths,
    connections: CONNECTIONS,
    seconds,
  });
  return { ...figures, cpu: (server.process.cpu() - before) / figures.requests };
}

/** Sends newsletters through the service; the paths of what their links became. */
async function pathsFile(
  bench: Bench,
  service: Service,
): Promise<{ file: string; tokens: string[] }> {
  const urls = await trackedUrls(service, newsletters(20_000), bench.options.quick ? 16 : MESSAGES);
  // Recipients do not click one message's links in a row.
  const paths = urls.map((url) => url.pathname).sort(() => Math.random() - 0.5);
  const file = join(bench.dir, `${service.name}.paths`);
  await writeFile(file, `${paths.join('\n')}\n`);
  return { file, tokens: paths.map((path) => path.slice(1)) };
}

async function storeForBare(redis: Redis, tokens: readonly string[]): Promise<void> {
  const client = new RedisClient({ path: redis.socket });
  const pipeline = client.pipeline();
  for (const token of tokens) {
    pipeline.set(`bare:${token}`, `https://www.shop.example/new/${token}?utm_source=newsletter`);
  }
  await pipeline.exec();
  await client.quit();
}

/** How many entries a stream ever had, those included that were trimmed away. */
async function entriesAdded(redis: Redis, stream: string): Promise<number> {
  if ((await redis.cli('exists', stream)) === '0') return 0;
  const lines = (await redis.cli('xinfo', 'stream', stream)).split('\n');
  return Number(lines[lines.indexOf('entries-added') + 1]);
}
