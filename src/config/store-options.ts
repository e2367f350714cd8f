import { hostname } from 'node:os';
import { maxDatabase } from '../lib/redis-url.ts';
import {
  type Definitions,
  derived,
  hidden,
  option,
  optional,
  originOnly,
  shown,
  statePath,
  withoutLogin,
} from './option.ts';
import {
  booleanType,
  hostPortType,
  integerType,
  listType,
  pathType,
  redisUrlType,
  scalarType,
  secondsType,
  sizeFromType,
  sizeType,
  stringType,
} from './option-types.ts';

export const redisOptions = {
  url: option(
    redisUrlType,
    'redis://127.0.0.1:6379/0',
    'Server: redis://, rediss:// (TLS) or unix://, with the database as path.',
    { secret: withoutLogin },
  ),
  database: optional(integerType(0, maxDatabase), 'Number of the database.', {
    otherwise: 'the one in the url, or 0',
    since: '0.2.0',
  }),
  key_prefix: option(stringType, 'clickmilter:', 'Goes before every key.'),
  username: optional(stringType, 'User of an access control list.', { secret: hidden }),
  password: optional(stringType, 'Password, where it is not in the url.', { secret: hidden }),
  sentinels: option(
    listType(hostPortType),
    [],
    'Sentinels, each HOST:PORT; of the url, only rediss:// counts then.',
    { secret: shown },
  ),
  sentinel_name: option(stringType, 'mymaster', 'The name the sentinels know the master by.'),
  sentinel_password: optional(stringType, 'Password of the sentinels.', { secret: hidden }),
  nodes: option(
    listType(hostPortType),
    [],
    'Nodes of a cluster, each HOST:PORT; of the url, only rediss:// counts then.',
    { secret: shown },
  ),
  tls_ca: optional(pathType, 'PEM file of the authority that signed the certificate of Redis.'),
  tls_certificate: optional(pathType, 'PEM file of our certificate for Redis.'),
  tls_key: optional(pathType, 'PEM file of its private key.'),
  connect_timeout: option(secondsType(0.1, 60), 2, 'Seconds a connection may take.'),
  command_timeout: option(
    secondsType(0.1, 60),
    2,
    'Seconds anything waits for Redis before on_failure decides.',
  ),
  wait_replicas: option(
    integerType(0, 100),
    0,
    'Replicas that must have the links before the message is accepted.',
  ),
  wait_timeout: option(
    secondsType(0.05, 60),
    1,
    'Seconds they get for it, beside command_timeout; twice that behind other messages that wait.',
  ),
} satisfies Definitions;

export const sealedOptions = {
  key_file: statePath('keys', 'The keys of sealed links, made at the very first start.'),
} satisfies Definitions;

const MiB = 1024 * 1024;

const webhookType = scalarType(
  'a URL of https:// or http://, in whose login % is written %25',
  (text) => (isWebhook(text) ? text : undefined),
);

const headerValueType = scalarType('a text of visible ASCII characters', (text) => {
  const value = text.trim(); // as is done with it in HTTP
  return /^[ -~]+$/.test(value) ? value : undefined;
});

function isWebhook(text: string): boolean {
  try {
    const { protocol, username, password } = new URL(text);
    decodeURIComponent(username);
    decodeURIComponent(password);
    return ['http:', 'https:'].includes(protocol);
  } catch {
    return false;
  }
}

export const eventsOptions = {
  journal: statePath('events', 'Folder of the journal of clicks, which are JSON lines.'),
  journal_max_size: option(
    sizeType,
    1024 * MiB,
    'Bytes of all journal files; beyond them the oldest go.',
  ),
  journal_fsync: option(
    secondsType(0, 60),
    1,
    'Seconds of clicks that a power failure may cost; 0 flushes before each answer.',
  ),
  stream_max_length: option(
    integerType(1000, 1_000_000_000),
    1_000_000,
    'Entries of the Redis stream, roughly; beyond them the oldest go.',
  ),
  stream_max_size: option(
    sizeFromType('16M'),
    1024 * MiB,
    "Bytes of the Redis stream, roughly, and no more than a quarter of Redis' maxmemory; beyond them the oldest go.",
  ),
  block_list: statePath('blocked', 'File of blocked links, where Redis does not keep them.'),
  webhook: optional(webhookType, 'Where batches of events are posted to.', { secret: originOnly }),
  webhook_token: optional(headerValueType, 'Value of X-MessageSystems-Webhook-Token.', {
    secret: hidden,
  }),
  webhook_secret: optional(stringType, 'Key of the HMAC in the signature header.', {
    secret: hidden,
  }),
  webhook_batch_size: option(integerType(1, 10_000), 10_000, 'Events in one batch at most.'),
  webhook_batch_bytes: option(
    sizeFromType('1K'),
    MiB / 2,
    'Bytes of the events in one batch; a larger event is sent alone.',
  ),
  webhook_interval: option(
    secondsType(0.1, 3600),
    30,
    'Seconds until a batch that is not full goes out.',
  ),
  webhook_timeout: option(secondsType(1, 300), 30, 'Seconds the other side gets for its answer.'),
  webhook_retry_for: option(
    secondsType(0, 7 * 86_400),
    8 * 3600,
    'Seconds a batch is tried again for.',
  ),
  anonymize_ip: option(booleanType, false, 'Whether ip_address is cut to a network.'),
  automatic_within: option(
    secondsType(0, 3600),
    10,
    'Seconds after the injection, or after one another, in which clicks look automatic.',
  ),
  node_name: derived(stringType, () => hostname(), 'node_name of the events.', {
    otherwise: 'the host name',
  }),
  customer_id: optional(stringType, 'customer_id of the events.'),
} satisfies Definitions;
