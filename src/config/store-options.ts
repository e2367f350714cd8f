import { hostname } from 'node:os';
import { MAX_DATABASE } from '../lib/redis-url.ts';
import { AUTOMATION_REASONS, automationReasons } from '../link/automation-reasons.ts';
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
import { choiceType, listType, scalarType } from './option-type.ts';
import {
  booleanType,
  hostPortType,
  integerType,
  networksType,
  pathType,
  redisUrlType,
  stringType,
} from './option-types.ts';
import { ageType, secondsType, sizeFromType, sizeType } from './quantity-types.ts';

export const redisOptions = {
  url: option(
    redisUrlType,
    'redis://127.0.0.1:6379/0',
    'Redis server: redis://, rediss:// (TLS) or unix://, with the database as path. In a login, characters such as / # % are written %2F %23 %25.',
    { secret: withoutLogin },
  ),
  database: optional(
    integerType(0, MAX_DATABASE),
    'Number of the database. With sentinels, set it here; a cluster has database 0 only.',
    {
      example: '0',
      otherwise: 'the one in the url, or 0',
      since: '0.2.0',
    },
  ),
  key_prefix: option(stringType, 'clickmilter:', 'Prefix of every key.'),
  username: optional(stringType, 'ACL user.', { secret: hidden, example: '"clickmilter"' }),
  password: optional(stringType, 'Password, if it is not in the url.', {
    secret: hidden,
    example: '"…"',
  }),
  sentinels: option(
    listType(hostPortType),
    [],
    'Sentinels, each HOST:PORT. Only the scheme of url is then used.',
    { secret: shown, example: '( "10.0.0.1:26379" "10.0.0.2:26379" "10.0.0.3:26379" )' },
  ),
  sentinel_name: option(stringType, 'mymaster', 'Name of the master at the sentinels.'),
  sentinel_password: optional(stringType, 'Password of the sentinels.', {
    secret: hidden,
    example: '"…"',
  }),
  nodes: option(
    listType(hostPortType),
    [],
    'Nodes of a cluster, each HOST:PORT. Only the scheme of url is then used.',
    { secret: shown, example: '( "10.0.0.1:6379" "10.0.0.2:6379" )' },
  ),
  tls_ca: optional(pathType, 'PEM file of the authority that signed the certificate of Redis.', {
    example: '"/etc/clickmilter/redis-ca.pem"',
  }),
  tls_certificate: optional(pathType, 'PEM file of the client certificate.', {
    example: '"/etc/clickmilter/redis.pem"',
  }),
  tls_key: optional(pathType, 'PEM file of the private key of the client certificate.', {
    example: '"/etc/clickmilter/redis-key.pem"',
  }),
  connect_timeout: option(secondsType(0.1, 60), 2, 'Connection timeout, in seconds.'),
  command_timeout: option(
    secondsType(0.1, 60),
    2,
    'Seconds to wait for Redis before on_failure applies.',
  ),
  wait_replicas: option(
    integerType(0, 100),
    0,
    'Number of replicas that must have the links before a message is accepted.',
  ),
  wait_timeout: option(
    secondsType(0.05, 60),
    1,
    'Time to wait for replicas, in seconds, in addition to command_timeout (up to twice that under load).',
  ),
} satisfies Definitions;

export const sealedOptions = {
  key_file: statePath('keys', 'File of the keys of sealed links, created at the first start.'),
} satisfies Definitions;

const MiB = 1024 * 1024;

const webhookType = scalarType(
  'an https:// or http:// URL, with % in its login written %25',
  (text) => (isWebhook(text) ? text : undefined),
);

const headerValueType = scalarType('a string of visible ASCII characters', (text) => {
  const value = text.trim(); // as HTTP does
  return /^[ -~]+$/.test(value) ? value : undefined;
});

/** Ports of other protocols, which fetch refuses ("bad port" in the Fetch standard), and 0. */
const BAD_PORTS = new Set(
  `0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115
  117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563
  587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667
  6668 6669 6679 6697 10080`.split(/\s+/),
);

/** @throws RangeError for a port to which nothing can be posted */
function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, port } = new URL(text);
  try {
    decodeURIComponent(username);
    decodeURIComponent(password);
  } catch {
    return false;
  }
  if (!['http:', 'https:'].includes(protocol)) return false;
  if (!BAD_PORTS.has(port)) return true;
  throw new RangeError(`must not have port ${port}, to which HTTP clients refuse to connect`);
}

export const eventsOptions = {
  journal: statePath('events', 'Folder of the click journal (JSON lines).'),
  journal_max_size: option(
    sizeType,
    1024 * MiB,
    'Maximum size of all journal files; beyond it the oldest are removed.',
  ),
  journal_fsync: option(
    secondsType(0, 60),
    1,
    'Seconds of clicks that a power failure may lose; 0 flushes the journal before each answer.',
  ),
  stream_max_length: option(
    integerType(1000, 1_000_000_000),
    1_000_000,
    'Approximate maximum length of the Redis stream, in entries; beyond it the oldest are removed.',
  ),
  stream_max_size: option(
    sizeFromType('16M'),
    1024 * MiB,
    "Approximate maximum size of the Redis stream, and never more than a quarter of Redis' maxmemory; beyond it the oldest entries are removed.",
    { since: '0.2.0' },
  ),
  keep: optional(
    ageType('1h'),
    'Age beyond which click events are removed from the Redis stream, the journal and the dead letters, delivered or not, within an hour.',
    { otherwise: 'events stay until the other limits remove them', example: '90d', since: '0.2.0' },
  ),
  block_list: statePath(
    'blocked',
    'File of the blocked and retargeted links, unless Redis keeps them.',
  ),
  opt_outs: statePath(
    'opt-outs',
    'File of the recipients who opted out (clickmilter optout), as digests. With Redis, its list applies in addition to this file.',
    { since: '0.2.0' },
  ),
  previews: statePath(
    'previews',
    'Folder of the skeletons of newsletters (preview), unless Redis keeps them.',
    { since: '0.2.0' },
  ),
  webhook: optional(
    webhookType,
    'URL to which batches of events are posted, as Momentum and SparkPost do.',
    { secret: originOnly, example: '"https://example.com/clicks"' },
  ),
  webhook_token: optional(headerValueType, 'Value of the X-MessageSystems-Webhook-Token header.', {
    example: '"change-me"',
    secret: hidden,
  }),
  webhook_secret: optional(stringType, 'Key of the HMAC in the signature header.', {
    example: '"…"',
    secret: hidden,
  }),
  webhook_batch_size: option(
    integerType(1, 10_000),
    10_000,
    'Maximum number of events in a batch.',
  ),
  webhook_batch_bytes: option(
    sizeFromType('1K'),
    MiB / 2,
    'Maximum size of the events in a batch; a larger event is sent alone.',
    { since: '0.2.0' },
  ),
  webhook_interval: option(
    secondsType(0.1, 3600),
    30,
    'Seconds after which a batch that is not full is sent.',
  ),
  webhook_timeout: option(
    secondsType(1, 300),
    30,
    'Timeout for the answer to a batch, in seconds.',
  ),
  webhook_retry_for: option(
    secondsType(0, 7 * 86_400),
    8 * 3600,
    'Seconds for which a batch is retried.',
  ),
  anonymize_ip: option(
    booleanType,
    false,
    'Whether the address of the reader is truncated to its network.',
  ),
  automatic_within: option(
    secondsType(0, 3600),
    10,
    'Clicks within this many seconds of the injection, or of one another, look automatic.',
  ),
  automatic_when: option(
    listType(choiceType(...automationReasons)),
    automationReasons.filter((reason) => AUTOMATION_REASONS[reason].decides),
    'Signs of automation that make a click automatic (is_automatic in events); docs/events.md explains each. The others are hints.',
    { since: '0.2.0' },
  ),
  automatic_networks: option(
    networksType,
    [],
    'Networks of scanners, whose clicks have the sign network; and files of them, which a reload reads again.',
    { example: '( "198.51.100.0/24" "file:/etc/clickmilter/scanners" )', since: '0.2.0' },
  ),
  node_name: derived(stringType, () => hostname(), 'Value of node_name in events.', {
    example: '"mx1"',
    otherwise: 'the host name',
  }),
  customer_id: optional(
    stringType,
    'Value of customer_id in events of messages without mo_customer_id.',
    { example: '"1"' },
  ),
} satisfies Definitions;
