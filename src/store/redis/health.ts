import type { Redis } from 'ioredis';
import { DAY_SECONDS } from '../../lib/days.ts';
import { StoreUnavailable } from '../../link/link-store.ts';
import type { KeysOfHost, StoreHealth } from '../store.ts';
import { mastersOf } from './client.ts';
import { isCommandRefused, isReply, type RedisConnection } from './connection.ts';
import type { StreamLimits, StreamUsage } from './stream.ts';

/** One Redis server that holds our data; a cluster has several. */
interface ServerHealth {
  /** Empty where the server does not tell. */
  readonly version: string;
  /** `maxmemory-policy`. */
  readonly policy: string;
  /** Bytes; 0 means no limit. */
  readonly maxMemory: number;
  readonly usedMemory: number;
  readonly persistence: 'aof' | 'rdb' | 'none' | 'unknown';
  readonly runsScripts: boolean;
  readonly tellsTime: boolean;
}

/** Redis is nearly full above this share of its limits. */
const NEARLY = 0.9;
/** The life of the key that an examination writes. */
const PROBE_MS = 1_000;
/** A host that was silent for this time is gone. */
const GONE_SECONDS = 30 * DAY_SECONDS;
const FINGERPRINT = /^([\w-]{1,100}) (\d{1,12})$/;

/**
 * Examines every server that holds our data.
 * @throws StoreUnavailable
 */
export async function redisHealth(
  connection: RedisConnection,
  { length, bytes = 0 }: StreamUsage,
  { streamMaxLength, streamMaxSize }: StreamLimits,
  sealKeys: KeysOfHost | undefined,
): Promise<StoreHealth> {
  const start = performance.now();
  await connection.run((client) => client.ping());
  const latency = (performance.now() - start).toFixed(1);
  const servers = await connection.run((client) => Promise.all(mastersOf(client).map(examine)));
  const facts = servers.map(({ version, usedMemory, maxMemory }) => {
    if (version === '') return `Redis answers in ${latency} ms`;
    const limit = maxMemory > 0 ? `of ${megabytes(maxMemory)}` : 'without a limit';
    return `Redis ${version} answers in ${latency} ms, ${megabytes(usedMemory)} used ${limit}`;
  });
  const warnings = servers.flatMap(warningsAbout);
  if (length > streamMaxLength * NEARLY) {
    warnings.push(
      `the click stream holds ${length} events, at ${streamMaxLength} the oldest are dropped: is anybody reading it?`,
    );
  }
  if (bytes > streamMaxSize * NEARLY) {
    warnings.push(
      `the click stream has ${bytes} bytes, at ${streamMaxSize} the oldest events are dropped: is anybody reading it?`,
    );
  }
  const failures = await refusedWrites(connection);
  if (sealKeys !== undefined) {
    const hosts = await hostsWithOtherKeys(connection, sealKeys, failures.length === 0);
    if (hosts.length > 0) warnings.push(otherKeysWarning(hosts));
  }
  const unknown: string[] = [];
  if (servers.some(({ version }) => version === '')) {
    unknown.push(
      'whether Redis has memory left, and keeps anything on disk, is not known, since INFO is refused: an ACL user needs +info',
    );
  }
  if (servers.some(({ version, persistence }) => version !== '' && persistence === 'unknown')) {
    unknown.push(
      'whether Redis keeps anything on disk is not known, since CONFIG GET is refused: an ACL user needs +config|get',
    );
  }
  return { facts, failures, warnings: [...new Set(warnings)], unknown };
}

/**
 * Whether Redis accepts writes: a replica, a full memory, a failed snapshot, replicas that are
 * missing, or an ACL can keep it from that, while it answers everything else.
 */
async function refusedWrites(connection: RedisConnection): Promise<readonly string[]> {
  try {
    await connection.run((client) => client.set(connection.keys.probe, '', 'PX', PROBE_MS));
    return [];
  } catch (error) {
    if (!(error instanceof StoreUnavailable) || !isReply(error.cause)) throw error;
    return [
      `${error.message}: it refuses writes, so on_failure applies to mail, and clicks wait in the journal`,
    ];
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/**
 * Hosts that share the store answer for each other's links, which they can only with the same
 * sealing keys. A hash holds
 * `FINGERPRINT UNIX-SECONDS` by host; entries of hosts that are gone are deleted.
 */
async function hostsWithOtherKeys(
  connection: RedisConnection,
  { fingerprint, announceAs, host: own }: KeysOfHost,
  acceptsWrites: boolean,
): Promise<readonly string[]> {
  const key = connection.keys.sealKeys;
  const now = Math.floor(Date.now() / 1000);
  if (announceAs !== undefined && acceptsWrites) {
    await connection.run((client) => client.hset(key, announceAs, `${fingerprint} ${now}`));
  }
  const entries = await connection.run((client) => client.hgetall(key));
  const others: string[] = [];
  const gone: string[] = [];
  for (const [host, entry] of Object.entries(entries)) {
    const [, theirs, seconds] = FINGERPRINT.exec(entry) ?? [];
    if (now - Number(seconds ?? 0) > GONE_SECONDS) gone.push(host);
    else if (theirs !== fingerprint && host !== own) others.push(host);
  }
  if (gone.length > 0 && acceptsWrites) await connection.run((client) => client.hdel(key, ...gone));
  return others;
}

function otherKeysWarning(hosts: readonly string[]): string {
  return (
    `other sealing keys on ${hosts.slice(0, 10).join(', ')}: sealed links made here are 404 there, and theirs are 404 ` +
    'here; give all hosts the same key file'
  );
}

async function examine(server: Redis): Promise<ServerHealth> {
  const info = await server.info().catch((error) => {
    if (isCommandRefused(error)) return '';
    throw error;
  });
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
  return {
    version: field('redis_version'),
    policy: field('maxmemory_policy'),
    maxMemory: Number(field('maxmemory')),
    usedMemory: Number(field('used_memory')),
    persistence: await persistenceOf(server, field('aof_enabled')),
    runsScripts: await server.eval('return 1', 0).then(
      () => true,
      (error) => !isCommandRefused(error),
    ),
    tellsTime: await server.time().then(
      () => true,
      (error) => !isCommandRefused(error),
    ),
  };
}

/** Managed services often forbid CONFIG. @param appends `aof_enabled` of INFO */
async function persistenceOf(server: Redis, appends: string): Promise<ServerHealth['persistence']> {
  if (appends !== '0') return appends === '1' ? 'aof' : 'unknown';
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
  if (server.runsScripts && !server.tellsTime) {
    warnings.push(
      'Redis does not tell us the time: each worker knows the signs of automation of its own clicks only; an ACL user needs +time',
    );
  }
  if (server.maxMemory > 0 && server.usedMemory > server.maxMemory * NEARLY) {
    warnings.push(
      `Redis uses ${Math.round((100 * server.usedMemory) / server.maxMemory)} % of its maxmemory`,
    );
  }
  return warnings;
}
