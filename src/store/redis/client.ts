import type { ConnectionOptions } from 'node:tls';
import { type RedisOptions as AllClientOptions, Cluster, Redis } from 'ioredis';
import { readWhole } from '../../lib/files.ts';
import { parseRedisUrl, type RedisUrl } from '../../lib/redis-url.ts';

export type RedisClient = Redis | Cluster;

/** How Redis is reached. The configuration's `redis` stanza has this form. */
export interface RedisOptions {
  /**
   * redis://, rediss:// or unix://PATH, with the database as its path or `?db=`; not used with
   * sentinels or nodes.
   */
  readonly url: string;
  /** The beginning of every key. */
  readonly keyPrefix: string;
  /** The number of the database; absent, the one of the URL, or 0. */
  readonly database?: number;
  /** The user of the ACL; absent, the one of the URL, or the default user. */
  readonly username?: string;
  /** The password; absent, the one of the URL, or none. */
  readonly password?: string;
  /** `host:port` of each sentinel; empty without Sentinel. */
  readonly sentinels?: readonly string[];
  /** The name by which the sentinels know the master. */
  readonly sentinelName?: string;
  /** The password of the sentinels; absent, none. */
  readonly sentinelPassword?: string;
  /** `host:port` of cluster nodes; empty without Cluster. */
  readonly nodes?: readonly string[];
  /**
   * PEM file of the authority that signed the certificate of Redis. It enables TLS, as rediss://
   * does.
   */
  readonly tlsCa?: string;
  /** PEM file of the client certificate. It enables TLS. */
  readonly tlsCertificate?: string;
  /** PEM file of the private key of the client certificate. It enables TLS. */
  readonly tlsKey?: string;
  /** How long a connection may take to be made. */
  readonly connectTimeoutMs: number;
  /** How long a command may take, including the time to connect again. */
  readonly commandTimeoutMs: number;
  /** Replicas that must have a record before it counts as saved. */
  readonly waitReplicas: number;
  /** How long saving waits for replicas, in addition to the command time-out. */
  readonly waitTimeoutMs: number;
}

type ClientOptions = Omit<AllClientOptions, 'replyMapping'>;

const MAX_RETRY_DELAY_MS = 1_000;
/** The longest time a command waits for data: a server that is silent for longer hangs. */
export const LONGEST_BLOCK_MS = 1_000;
/** For commands that need not wait: 0 would wait for ever. */
export const SHORTEST_BLOCK_MS = 1;
/** After an error the master is looked up again, at most once in this time. */
const LOOK_UP_MS = 1_000;

/**
 * Creates an ioredis client for one server, Sentinel or Cluster. It connects with its first
 * command, retries forever, at least once per second, and speaks RESP2, which every version and
 * every compatible server knows.
 *
 * @param blocking for commands that wait for data, up to LONGEST_BLOCK_MS; a silence of that length
 * is not a fault there
 * @throws Error for a file that cannot be read
 */
export function createClient(options: RedisOptions, blocking = false): RedisClient {
  const url = parseRedisUrl(options.url);
  const isOneServer = !options.nodes?.length && !options.sentinels?.length;
  // The login and database of a URL count for a single server only.
  const login: Partial<RedisUrl> = isOneServer ? url : {};
  const tls = tlsOf(options, url);
  const common: ClientOptions = {
    ...present('username', options.username ?? login.username),
    ...present('password', options.password ?? login.password),
    ...present('db', options.database ?? login.database),
    ...(tls && { tls }),
    protocol: 2,
    lazyConnect: true,
    connectionName: 'clickmilter',
    connectTimeout: options.connectTimeoutMs,
    // A connection without an answer for this time is dead.
    socketTimeout: options.commandTimeoutMs + (blocking ? LONGEST_BLOCK_MS : 0),
    // Commands that were under way when the connection broke are sent again: everything may be
    // written twice.
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
        // The check asks any node, which may be the one that hangs; each command learns the
        // cluster's state anyway.
        enableReadyCheck: false,
        // The command time-out bounds redirections, not a count.
        maxRedirections: 64,
        redisOptions,
        // Certificates name hosts: an address would not match.
        ...(tls && { dnsLookup: (host, done) => done(null, host) }),
      },
    );
    // A node that hangs does not say which node replaced it; the others do.
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

/** Describes where Redis is, for messages; never with a password. */
export function describeRedis(options: RedisOptions): string {
  if (options.nodes?.length) return `Redis Cluster ${options.nodes.join(' ')}`;
  if (options.sentinels?.length) {
    return `Redis "${options.sentinelName}" of the sentinels ${options.sentinels.join(' ')}`;
  }
  const { at } = parseRedisUrl(options.url);
  return `Redis ${'path' in at ? at.path : `${at.host}:${at.port}`}`;
}

/** The servers that hold data. */
export function mastersOf(client: RedisClient): readonly Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

function present<K extends string, T>(name: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: T });
}

function tlsOf(options: RedisOptions, { tls }: RedisUrl): ConnectionOptions | undefined {
  const { tlsCa: ca, tlsCertificate: certificate, tlsKey: key } = options;
  if (!tls && !ca && !certificate && !key) return undefined;
  const read = (path: string | undefined) => (path === undefined ? path : readWhole(path));
  return { ca: read(ca), cert: read(certificate), key: read(key) };
}

function address(text: string, defaultPort: number): { host: string; port: number } {
  const [, host = text, port = defaultPort] = /^(.*):(\d+)$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_DELAY_MS) * (0.75 + Math.random() / 4);
}

/** After a failover the former master refuses writes; connecting again finds the new one. */
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

/*
 * ioredis 6 has a class that extends String. In V8 this turns String.prototype into a dictionary
 * for the whole process, and every `charCodeAt` into a look-up by name, which costs a tenth of the
 * milter's time. Reading through primitive strings never undoes this; reading through String
 * objects does, after some ten times.
 */
const read = (text: { length: number }): number => text.length;
for (let times = 0; times < 100; times++) read(Object('text'));
