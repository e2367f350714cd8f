import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { type RedisOptions as AllClientOptions, Cluster, Redis } from 'ioredis';
import { parseRedisUrl, type RedisUrl } from '../../lib/redis-url.ts';
import type { RedisOptions } from './options.ts';
import './fast-strings.ts';

export type RedisClient = Redis | Cluster;

type ClientOptions = Omit<AllClientOptions, 'replyMapping'>;

const MAX_RETRY_DELAY_MS = 1_000;
/** The longest that a command waits for data, so that whoever is silent for longer is known to hang. */
export const LONGEST_BLOCK_MS = 1_000;
/** Where the master is, is looked up again after an error, but not after each of a thousand. */
const LOOK_UP_MS = 1_000;

/**
 * A client of ioredis for any shape of Redis. It connects with its first command, reconnects for ever, at least once a
 * second, and speaks RESP2, which every version and every compatible server knows.
 *
 * @param blocking for commands that wait for data, for LONGEST_BLOCK_MS at most: so long silence is no fault there
 * @throws Error for a file that cannot be read
 */
export function createClient(options: RedisOptions, blocking = false): RedisClient {
  const url = parseRedisUrl(options.url);
  const isOneServer = !options.nodes?.length && !options.sentinels?.length;
  const tls = tlsOf(options, url);
  const common: ClientOptions = {
    ...access(options, isOneServer ? url : {}),
    ...(tls && { tls }),
    protocol: 2,
    lazyConnect: true,
    connectionName: 'clickmilter',
    connectTimeout: options.connectTimeoutMs,
    // No answer for so long: the connection is dead, or as good as dead.
    socketTimeout: options.commandTimeoutMs + (blocking ? LONGEST_BLOCK_MS : 0),
    // What was on its way when the connection broke is sent again: all we write may be written twice.
    autoResendUnfulfilledCommands: !blocking,
    maxRetriesPerRequest: 3,
    retryStrategy: retryDelay,
    reconnectOnError: reconnectWhenReadOnly(),
  };
  if (options.nodes !== undefined && options.nodes.length > 0) {
    const { retryStrategy, ...redisOptions } = common;
    const cluster = new Cluster(
      options.nodes.map((node) => address(node, 6379)),
      {
        lazyConnect: true,
        clusterRetryStrategy: retryStrategy ?? null,
        clusterNodeRetryStrategy: retryDelay,
        slotsRefreshTimeout: options.connectTimeoutMs,
        // It asks any node, which may be the one that hangs. Each command is told what the cluster's state is.
        enableReadyCheck: false,
        // Bounded by the time-out of the connection, not by a count.
        maxRedirections: 64,
        redisOptions,
        // Certificates name hosts: an address looked up before would not match them.
        ...(tls && { dnsLookup: (host, done) => done(null, host) }),
      },
    );
    // A node that hangs does not say who took its place; the others do.
    const isDue = atMostEvery(LOOK_UP_MS);
    cluster.on('node error', () => {
      if (isDue()) cluster.refreshSlotsCache();
    });
    return cluster;
  }
  if (options.sentinels !== undefined && options.sentinels.length > 0) {
    return new Redis({
      ...common,
      ...(options.sentinelName !== undefined && { name: options.sentinelName }),
      sentinels: options.sentinels.map((sentinel) => address(sentinel, 26379)),
      sentinelRetryStrategy: retryDelay,
      sentinelCommandTimeout: options.connectTimeoutMs,
      ...(options.sentinelPassword !== undefined && { sentinelPassword: options.sentinelPassword }),
      ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    });
  }
  return new Redis({ ...common, ...url.at });
}

/** Where it is, for messages: never with a password. */
export function describeRedis(options: RedisOptions): string {
  if (options.nodes?.length) return `Redis Cluster ${options.nodes.join(' ')}`;
  if (options.sentinels?.length) {
    return `Redis "${options.sentinelName}" of the sentinels ${options.sentinels.join(' ')}`;
  }
  const { at } = parseRedisUrl(options.url);
  return `Redis ${'path' in at ? at.path : `${at.host}:${at.port}`}`;
}

/** The servers that hold data, each to be asked for itself. */
export function mastersOf(client: RedisClient): readonly Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

/** Login and database: those of the options go before those of the URL, of which others than one server have none. */
function access(options: RedisOptions, { username, password, database }: Partial<RedisUrl>) {
  return {
    ...present('username', options.username ?? username),
    ...present('password', options.password ?? password),
    ...present('db', options.database ?? database),
  };
}

function present<K extends string, T>(name: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: T });
}

function tlsOf(options: RedisOptions, { tls }: RedisUrl): ConnectionOptions | undefined {
  const { tlsCa: ca, tlsCertificate: certificate, tlsKey: key } = options;
  if (!tls && !ca && !certificate && !key) return undefined;
  return {
    ...(ca !== undefined && { ca: readFileSync(ca) }),
    ...(certificate !== undefined && { cert: readFileSync(certificate) }),
    ...(key !== undefined && { key: readFileSync(key) }),
  };
}

function address(text: string, defaultPort: number): { host: string; port: number } {
  const [, host = text, port = defaultPort] = /^(.*):(\d+)$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_DELAY_MS) * (0.75 + Math.random() / 4);
}

/** After a failover, a server that was the master refuses writes: connecting again finds the new one. */
function reconnectWhenReadOnly(): (error: Error) => boolean {
  const isDue = atMostEvery(LOOK_UP_MS);
  return (error) => error.message.startsWith('READONLY') && isDue();
}

function atMostEvery(ms: number): () => boolean {
  // The clock may jump.
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - last < ms) return false;
    last = performance.now();
    return true;
  };
}
