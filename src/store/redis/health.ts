import type { Redis } from 'ioredis';
import { mastersOf } from './client.ts';
import type { RedisConnection } from './connection.ts';
import { areScriptsRefused } from './refused-scripts.ts';
import type { StreamLimits } from './stream-trimmer.ts';

/** One Redis server that holds our data; a cluster has several. */
export interface ServerHealth {
  readonly version: string;
  /** `maxmemory-policy`. */
  readonly policy: string;
  /** Bytes; 0 is no limit. */
  readonly maxMemory: number;
  readonly usedMemory: number;
  readonly persistence: 'aof' | 'rdb' | 'none' | 'unknown';
  readonly replicas: number;
  /** Whether it lets us run scripts. */
  readonly runsScripts: boolean;
}

export interface RedisHealth {
  /** Of a PING, milliseconds. */
  readonly latency: number;
  readonly servers: readonly ServerHealth[];
  readonly streamLength: number;
  /** Absent where Redis does not say. */
  readonly streamBytes?: number;
  /** What an operator should know before trusting it with links, as sentences. */
  readonly warnings: readonly string[];
}

/** Above this share of its limits, Redis is said to be nearly full. */
const NEARLY = 0.9;

/**
 * Looks at every server that holds our data.
 * @throws StoreUnavailable
 */
export async function redisHealth(
  connection: RedisConnection,
  stream: StreamLimits & { readonly length: number; readonly bytes?: number },
): Promise<RedisHealth> {
  const start = performance.now();
  await connection.run((client) => client.ping());
  const latency = performance.now() - start;
  const servers = await connection.run((client) => Promise.all(mastersOf(client).map(look)));
  const warnings = servers.flatMap(warningsAbout);
  const { length, streamMaxLength: maxLength, bytes = 0, streamMaxSize: maxBytes } = stream;
  if (length > maxLength * NEARLY) {
    warnings.push(
      `the click stream holds ${length} events, at ${maxLength} the oldest are dropped: is anybody reading it?`,
    );
  }
  if (bytes > maxBytes * NEARLY) {
    warnings.push(
      `the click stream has ${bytes} bytes, at ${maxBytes} the oldest events are dropped: is anybody reading it?`,
    );
  }
  return {
    latency,
    servers,
    streamLength: length,
    ...(stream.bytes !== undefined && { streamBytes: bytes }),
    warnings: [...new Set(warnings)],
  };
}

async function look(server: Redis): Promise<ServerHealth> {
  const info = await server.info();
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
  return {
    version: field('redis_version'),
    policy: field('maxmemory_policy'),
    maxMemory: Number(field('maxmemory')),
    usedMemory: Number(field('used_memory')),
    persistence: field('aof_enabled') === '1' ? 'aof' : await snapshots(server),
    replicas: Number(field('connected_slaves')),
    runsScripts: await server.eval('return 1', 0).then(
      () => true,
      (error) => !areScriptsRefused(error),
    ),
  };
}

/** Managed services often forbid CONFIG. */
async function snapshots(server: Redis): Promise<ServerHealth['persistence']> {
  try {
    const [, save] = (await server.config('GET', 'save')) as string[];
    return save ? 'rdb' : 'none';
  } catch {
    return 'unknown';
  }
}

function warningsAbout(server: ServerHealth): string[] {
  const warnings: string[] = [];
  if (server.policy !== 'noeviction' && server.policy !== '') {
    warnings.push(
      `maxmemory-policy is ${server.policy}: when memory is full Redis deletes links that are still in inboxes; ` +
        'noeviction keeps them',
    );
  }
  if (server.persistence === 'none') {
    warnings.push(
      'Redis keeps nothing on disk (no appendonly, no save): after a restart every stored link leads nowhere; ' +
        'appendonly yes keeps them',
    );
  }
  if (server.persistence === 'rdb') {
    warnings.push(
      'Redis writes snapshots only (appendonly no): a crash loses the links since the last one',
    );
  }
  if (!server.runsScripts) {
    warnings.push(
      'Redis does not let us run scripts: nothing is counted, reports stay empty; an ACL user needs +eval',
    );
  }
  if (server.maxMemory > 0 && server.usedMemory > server.maxMemory * NEARLY) {
    warnings.push(
      `Redis uses ${Math.round((100 * server.usedMemory) / server.maxMemory)} % of its maxmemory`,
    );
  }
  return warnings;
}
