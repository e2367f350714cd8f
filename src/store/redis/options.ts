import type { StreamLimits } from './stream-trimmer.ts';

/** How Redis is reached. The configuration's `redis` stanza has this form. */
export interface RedisOptions {
  /** redis://, rediss:// or unix://PATH, with the database as its path or `?db=`; not used with sentinels or nodes. */
  readonly url: string;
  /** Goes before every key. */
  readonly keyPrefix: string;
  /** The number of the database; absent, the one of the URL, or 0. */
  readonly database?: number;
  readonly username?: string;
  readonly password?: string;
  /** `host:port` of each sentinel; empty without Sentinel. */
  readonly sentinels?: readonly string[];
  /** The name the sentinels know the master by. */
  readonly sentinelName?: string;
  readonly sentinelPassword?: string;
  /** `host:port` of cluster nodes; empty without Cluster. */
  readonly nodes?: readonly string[];
  /** PEM files. Beside rediss:// any of them switches TLS on. */
  readonly tlsCa?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly connectTimeoutMs: number;
  /** How long anything waits for Redis, a connection that is being made again included. */
  readonly commandTimeoutMs: number;
  /** Replicas that must have a record before it counts as saved; 0 is none. */
  readonly waitReplicas?: number;
  readonly waitTimeoutMs?: number;
}

/** What the store needs beside the connection. */
export interface RedisStoreOptions extends RedisOptions {
  readonly stream: StreamLimits;
  /** Told when Redis goes away, of each reason why it stays away, and once when it is back; the reason is absent then. */
  readonly onConnection?: (unavailable: string | undefined) => void;
  /** Told once when counts begin to be refused by a Redis that answers, and why. */
  readonly onCountsRefused?: (reason: string) => void;
}
