import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { buildScopes } from './build-scopes.ts';
import type { Configuration } from './configuration.ts';
import { eventsOptions } from './event-options.ts';
import { listenAddresses } from './listen-addresses.ts';
import { httpOptions, milterOptions } from './listener-options.ts';
import { present } from './present.ts';
import {
  engagementTrackerOptions,
  globalOptions,
  logOptions,
  macrosOptions,
} from './service-options.ts';
import { type Stanza, valuesOf } from './stanza.ts';
import { defaultStateDirectory } from './state-directory.ts';
import { redisOptions, sealedOptions } from './store-options.ts';

/** @param root a configuration without errors */
export function buildConfiguration(root: Stanza, file: string): Configuration {
  const global = valuesOf(globalOptions, root);
  const stateDirectory = global.state_directory ?? defaultStateDirectory(file);
  const tracker = valuesOf(engagementTrackerOptions, root.child('engagement_tracker'));
  const { long_names: longNames, ...macros } = valuesOf(macrosOptions, root.child('macros'));
  const log = valuesOf(logOptions, root.child('log'));
  return {
    file: resolve(file),
    stateDirectory,
    scopes: buildScopes(root),
    milter: milter(root),
    http: http(root),
    control: { listen: listenAddresses(root, 'control_listener') },
    linkStore: global.link_store,
    redis: redis(root.child('redis')),
    sealed: {
      keyFile:
        valuesOf(sealedOptions, root.child('sealed')).key_file ??
        join(stateDirectory, sealedOptions.key_file.inState),
    },
    events: events(root.child('events'), stateDirectory),
    macros: { ...macros, longNames },
    smtpapi: root.child('smtpapi') !== undefined,
    engagementTracker: {
      clickTrackingIncludeMetadata: tracker.click_tracking_include_metadata,
      maxMetadataLen: tracker.max_metadata_len,
    },
    workers: global.workers,
    workerMaxMemory: global.worker_max_memory,
    log: present({ level: log.level, format: log.format, file: log.file, detail: log.detail }),
  };
}

function milter(root: Stanza): Configuration['milter'] {
  const values = valuesOf(milterOptions, root.child('milter_listener'));
  return present({
    listen: listenAddresses(root, 'milter_listener'),
    maxConnections: values.max_connections,
    maxMessageSize: values.max_message_size,
    maxMemory: values.max_memory,
    maxHeaderSize: values.max_header_size,
    maxHeaderCount: values.max_header_count,
    maxRecipients: values.max_recipients,
    maxParts: values.max_parts,
    maxLinks: values.max_links,
    idleTimeoutMs: milliseconds(values.idle_timeout),
    writeTimeoutMs: milliseconds(values.write_timeout),
    drainTimeoutMs: milliseconds(values.drain_timeout),
  });
}

function http(root: Stanza): Configuration['http'] {
  const values = valuesOf(httpOptions, root.child('http_listener'));
  const { tls_certificate: certificate, tls_key: key } = values;
  return present({
    listen: listenAddresses(root, 'http_listener'),
    checkHost: values.check_host,
    trustedProxies: values.trusted_proxies,
    staticFolder: values.static_folder,
    tls: certificate !== undefined && key !== undefined ? { certificate, key } : undefined,
    maxConnections: values.max_connections,
    requestTimeoutMs: milliseconds(values.request_timeout),
  });
}

function redis(stanza: Stanza | undefined): Configuration['redis'] {
  const values = valuesOf(redisOptions, stanza);
  return present({
    url: values.url,
    keyPrefix: values.key_prefix,
    username: values.username,
    password: values.password,
    sentinels: values.sentinels,
    sentinelName: values.sentinel_name,
    sentinelPassword: values.sentinel_password,
    nodes: values.nodes,
    tls: present({ ca: values.tls_ca, certificate: values.tls_certificate, key: values.tls_key }),
    connectTimeoutMs: milliseconds(values.connect_timeout),
    commandTimeoutMs: milliseconds(values.command_timeout),
    waitReplicas: values.wait_replicas,
    waitTimeoutMs: milliseconds(values.wait_timeout),
  });
}

function events(stanza: Stanza | undefined, stateDirectory: string): Configuration['events'] {
  const values = valuesOf(eventsOptions, stanza);
  return present({
    journal: values.journal ?? join(stateDirectory, eventsOptions.journal.inState),
    journalMaxSize: values.journal_max_size,
    journalFsyncMs: milliseconds(values.journal_fsync),
    stream: { maxLength: values.stream_max_length, maxBytes: values.stream_max_size },
    blockList: values.block_list ?? join(stateDirectory, eventsOptions.block_list.inState),
    webhook: values.webhook,
    webhookToken: values.webhook_token,
    webhookSecret: values.webhook_secret,
    webhookBatchSize: values.webhook_batch_size,
    webhookBatchBytes: values.webhook_batch_bytes,
    webhookIntervalMs: milliseconds(values.webhook_interval),
    webhookTimeoutMs: milliseconds(values.webhook_timeout),
    webhookRetryForMs: milliseconds(values.webhook_retry_for),
    anonymizeIp: values.anonymize_ip,
    automaticWithinMs: milliseconds(values.automatic_within),
    nodeName: values.node_name ?? hostname(),
    customerId: values.customer_id,
  });
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
