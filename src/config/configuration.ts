import type { MacroSettings } from '../scope/macro-template.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { ListenAddress } from './listen-address.ts';

/** The whole configuration: typed, every default applied, paths absolute. Durations end in Ms. */
export interface Configuration {
  /** The configuration file, absolute. */
  readonly file: string;
  /** Folder of keys, events and block list. */
  readonly stateDirectory: string;
  readonly scopes: ScopeTree;
  readonly milter: {
    readonly listen: readonly ListenAddress[];
    readonly maxConnections: number;
    /** Bytes; a larger message passes untouched. */
    readonly maxMessageSize: number;
    /** Absent: a quarter of what there is. */
    readonly maxMemory?: number;
    readonly maxHeaderSize: number;
    readonly maxHeaderCount: number;
    readonly maxRecipients: number;
    /** MIME parts of a message. */
    readonly maxParts: number;
    /** Links in one part. */
    readonly maxLinks: number;
    readonly idleTimeoutMs: number;
    readonly writeTimeoutMs: number;
    /** How long open sessions may go on when the service stops. */
    readonly drainTimeoutMs: number;
  };
  readonly http: {
    readonly listen: readonly ListenAddress[];
    readonly checkHost: boolean;
    /** Addresses and networks whose X-Forwarded-For and X-Forwarded-Host count. */
    readonly trustedProxies: readonly string[];
    /** Folder with robots.txt, favicon.ico, .well-known/… and files for links into apps. */
    readonly staticFolder?: string;
    /** HTTPS served by ourselves: PEM files. */
    readonly tls?: { readonly certificate: string; readonly key: string };
    readonly maxConnections: number;
    readonly requestTimeoutMs: number;
  };
  readonly control: { readonly listen: readonly ListenAddress[] };
  readonly linkStore: 'redis' | 'sealed';
  readonly redis: {
    /** redis://, rediss:// or unix:// */
    readonly url: string;
    readonly keyPrefix: string;
    readonly username?: string;
    readonly password?: string;
    /** `host:port` of each sentinel; empty without Sentinel. */
    readonly sentinels: readonly string[];
    readonly sentinelName: string;
    readonly sentinelPassword?: string;
    /** `host:port` of cluster nodes; empty without Cluster. */
    readonly nodes: readonly string[];
    readonly tls: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
    readonly connectTimeoutMs: number;
    readonly commandTimeoutMs: number;
    /** Replicas that must have a record before the end-of-message reply; 0 is none. */
    readonly waitReplicas: number;
    readonly waitTimeoutMs: number;
  };
  readonly sealed: { readonly keyFile: string };
  readonly events: {
    /** Folder or prefix. */
    readonly journal: string;
    readonly journalMaxSize: number;
    readonly journalFsyncMs: number;
    /** What the Redis stream may hold. */
    readonly stream: { readonly maxLength: number; readonly maxBytes: number };
    readonly blockList: string;
    readonly webhook?: string;
    readonly webhookToken?: string;
    /** Key of the HMAC signature header. */
    readonly webhookSecret?: string;
    readonly webhookBatchSize: number;
    /** Bytes of the events in one batch. */
    readonly webhookBatchBytes: number;
    readonly webhookIntervalMs: number;
    readonly webhookTimeoutMs: number;
    /** How long a batch is retried. */
    readonly webhookRetryForMs: number;
    readonly anonymizeIp: boolean;
    /** Clicks within this time of the injection, or of one another, look automatic. */
    readonly automaticWithinMs: number;
    readonly nodeName: string;
    readonly customerId?: string;
  };
  readonly macros: MacroSettings;
  /** Whether there is an `smtpapi` stanza. */
  readonly smtpapi: boolean;
  readonly engagementTracker: {
    readonly clickTrackingIncludeMetadata: boolean;
    /** Bytes of the JSON. */
    readonly maxMetadataLen: number;
  };
  readonly workers: number | 'auto';
  /** Bytes; of several workers a larger one is replaced. */
  readonly workerMaxMemory: number;
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
    readonly format: 'auto' | 'json' | 'pretty';
    readonly file?: string;
    /** How much of URLs and addresses a log line may show. */
    readonly detail: 'none' | 'domain' | 'full';
  };
}
