import { maxLinkExpiry } from '../scope/message-fields.ts';
import type { OptionValue } from '../scope/option-value.ts';
import {
  booleanType,
  choiceType,
  integerType,
  listType,
  type OptionType,
  pathType,
  secondsType,
  sizeType,
  stringType,
} from './option-type.ts';
import {
  contextType,
  domainPatternType,
  fileModeType,
  hostPortType,
  macroTemplateType,
  networkType,
  recipientPatternType,
  selectorType,
  trackingDomainType,
  urlPatternType,
  urlType,
  workersType,
} from './option-values.ts';

/** One option: everything that check, config, the manual page and the reference know about it. */
export interface OptionDefinition<T extends OptionValue = OptionValue> {
  readonly type: OptionType<T>;
  readonly default: T;
  /** One line. */
  readonly description: string;
  /** Shown as stars. */
  readonly secret?: true;
}

/** An option that is absent where it is not set. */
export interface OptionalDefinition<T extends OptionValue = OptionValue> {
  readonly type: OptionType<T>;
  readonly default?: undefined;
  /** What happens without it, where that is worth a word, such as a default that depends on other options. */
  readonly otherwise?: string;
  readonly description: string;
  readonly secret?: true;
}

export type Definition = OptionDefinition | OptionalDefinition;
export type Definitions = Readonly<Record<string, Definition>>;

function option<T extends OptionValue>(
  type: OptionType<T>,
  defaultValue: NoInfer<T>,
  description: string,
): OptionDefinition<T> {
  return { type, default: defaultValue, description };
}

function optional<T extends OptionValue>(
  type: OptionType<T>,
  description: string,
  more: { otherwise?: string; secret?: true } = {},
): OptionalDefinition<T> {
  return { type, description, ...more };
}

const year = 365 * 24 * 3600;
const MiB = 1024 * 1024;

/** Valid in every tracking scope: ESMTP_Listener, Listen, Peer, pathway and pathway_group. */
export const trackingOptions = {
  click_tracking_enabled: option(
    booleanType,
    false,
    'Whether links in the top text/plain and text/html part are tracked.',
  ),
  click_tracking_scheme: option(choiceType('http', 'https'), 'http', 'Scheme of tracked links.'),
  tracking_domain: option(
    trackingDomainType,
    'localhost:8080',
    'Host, with or without a port, that tracked links lead to.',
  ),
  tracking_link_expiry: option(
    integerType(1, maxLinkExpiry),
    year,
    'Seconds after which a followed link is no click any more, and its record is forgotten.',
  ),
  on_failure: option(
    choiceType('accept', 'tempfail', 'seal'),
    'accept',
    'When the link store is away: deliver untracked, have the mail offered again, or track with sealed links.',
  ),
  rewrite_signed: option(
    booleanType,
    false,
    'Whether DKIM-signed mail is tracked, which breaks its signature.',
  ),
  exclude_domains: option(
    listType(domainPatternType),
    [],
    'Domains, with all below them, that links are not tracked to.',
  ),
  exclude_urls: option(
    listType(urlPatternType),
    [],
    'URLs that are not tracked; * stands for any characters.',
  ),
  exclude_selectors: option(
    listType(selectorType),
    [],
    'CSS selectors of HTML links, or of what holds them, that are not tracked.',
  ),
  track_url_text: option(
    booleanType,
    true,
    'Whether HTML links are tracked whose visible text is itself a URL.',
  ),
  recipients: option(
    choiceType('any', 'single'),
    'any',
    'Whether messages with several recipients are tracked; their clicks name none of them.',
  ),
  exclude_recipients: option(
    listType(recipientPatternType),
    [],
    'Addresses and domains whose mail is never tracked.',
  ),
  accept_x_msys_api: option(
    choiceType('authenticated', 'any', 'none'),
    'authenticated',
    'Whose X-MSYS-API header is believed: that of senders with a login, of anyone, of nobody.',
  ),
  dry_run: option(
    booleanType,
    false,
    'Work everything out and log what would change, but change nothing.',
  ),
  context: option(
    contextType,
    new Map<string, string>(),
    'Context variables, such as smtpapi_campaign_id, for every message of the scope.',
  ),
} satisfies Definitions;

const enable = option(booleanType, true, 'Switched off, the stanza is as if it were not there.');

const pathway = option(
  stringType,
  'default',
  'The pathway of mail that neither a context variable nor the pathway macro gives one.',
);

export const globalOptions = {
  link_store: option(
    choiceType('redis', 'sealed'),
    'sealed',
    'Where links are kept: in Redis, or sealed inside the link itself.',
  ),
  workers: option(workersType, 1, 'Worker processes; auto is one for each processor.'),
  state_directory: optional(pathType, 'Folder of keys, events and block list.', {
    otherwise:
      '/var/lib/clickmilter for a configuration below /etc; else var, beside a configuration folder called conf, or inside of any other',
  }),
} satisfies Definitions;

export const milterOptions = {
  enable,
  max_connections: option(
    integerType(1, 100_000),
    1000,
    'Connections of MTAs at the same time, in each worker.',
  ),
  max_message_size: option(
    sizeType,
    50 * MiB,
    'Bytes of a body; a larger message passes untouched.',
  ),
  max_header_size: option(
    sizeType,
    MiB,
    'Bytes of all header fields; a message with more passes untouched.',
  ),
  max_header_count: option(
    integerType(1, 1_000_000),
    2000,
    'Header fields; a message with more passes untouched.',
  ),
  max_recipients: option(
    integerType(1, 10_000_000),
    50_000,
    'Recipients; a message with more passes untouched.',
  ),
  max_parts: option(
    integerType(1, 1_000_000),
    1000,
    'MIME parts; a message with more passes untouched.',
  ),
  max_links: option(
    integerType(1, 1_000_000),
    10_000,
    'Links in one part; a part with more passes untouched.',
  ),
  idle_timeout: option(
    secondsType(1, 86_400),
    7210,
    "Seconds without a word from the MTA while it is its turn; libmilter's default.",
  ),
  write_timeout: option(
    secondsType(1, 3600),
    60,
    'Seconds without progress while the MTA does not read its answer.',
  ),
  drain_timeout: option(
    secondsType(0, 3600),
    30,
    'Seconds that running SMTP sessions get to finish when the service stops.',
  ),
} satisfies Definitions;

/** Of `Listen` in the listeners of clickmilter itself. */
export const socketOptions = {
  enable,
  file_mode: option(fileModeType, 0o660, 'Mode of a unix socket.'),
  file_owner: optional(stringType, 'User a unix socket belongs to.', {
    otherwise: 'the user of the service',
  }),
  file_group: optional(stringType, 'Group a unix socket belongs to.', {
    otherwise: 'the group of the service',
  }),
} satisfies Definitions;

export const httpOptions = {
  enable,
  check_host: option(
    booleanType,
    true,
    "Whether the Host of a request must be the link's own tracking_domain.",
  ),
  trusted_proxies: option(
    listType(networkType),
    [],
    'Addresses and networks of proxies whose X-Forwarded-For is believed.',
  ),
  well_known: optional(pathType, 'Folder of files served below /.well-known/, for app links.'),
  tls_certificate: optional(
    pathType,
    'PEM file of the certificate chain; HTTPS is served with it.',
  ),
  tls_key: optional(pathType, 'PEM file of the private key.'),
  max_connections: option(
    integerType(1, 1_000_000),
    10_000,
    'Connections at the same time, in each worker.',
  ),
  request_timeout: option(secondsType(1, 600), 10, 'Seconds a request may take to arrive.'),
} satisfies Definitions;

export const controlOptions = { enable } satisfies Definitions;

export const redisOptions = {
  url: option(
    urlType('redis', 'rediss', 'unix'),
    'redis://127.0.0.1:6379/0',
    'Server: redis://, rediss:// (TLS) or unix://, with the database as path.',
  ),
  key_prefix: option(stringType, 'clickmilter:', 'Goes before every key.'),
  username: optional(stringType, 'User of an access control list.'),
  password: optional(stringType, 'Password, where it is not in the url.', { secret: true }),
  sentinels: option(
    listType(hostPortType),
    [],
    'Sentinels, each HOST:PORT; the url is not used then.',
  ),
  sentinel_name: option(stringType, 'mymaster', 'The name the sentinels know the master by.'),
  sentinel_password: optional(stringType, 'Password of the sentinels.', { secret: true }),
  nodes: option(
    listType(hostPortType),
    [],
    'Nodes of a cluster, each HOST:PORT; the url is not used then.',
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
  wait_timeout: option(secondsType(0.05, 60), 1, 'Seconds they get for it.'),
} satisfies Definitions;

export const sealedOptions = {
  key_file: optional(pathType, 'The keys of sealed links, made at the very first start.', {
    otherwise: 'keys in state_directory',
  }),
} satisfies Definitions;

export const eventsOptions = {
  journal: optional(pathType, 'Folder of the journal of clicks, which are JSON lines.', {
    otherwise: 'events in state_directory',
  }),
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
  block_list: optional(pathType, 'File of blocked links, where Redis does not keep them.', {
    otherwise: 'blocked in state_directory',
  }),
  webhook: optional(urlType('https', 'http'), 'Where batches of events are posted to.'),
  webhook_token: optional(stringType, 'Value of X-MessageSystems-Webhook-Token.', {
    secret: true,
  }),
  webhook_secret: optional(stringType, 'Key of the HMAC in the signature header.', {
    secret: true,
  }),
  webhook_batch_size: option(integerType(1, 10_000), 10_000, 'Events in one batch at most.'),
  webhook_interval: option(
    secondsType(0.1, 3600),
    30,
    'Seconds until a batch that is not full goes out.',
  ),
  webhook_timeout: option(secondsType(1, 600), 30, 'Seconds the other side gets for its answer.'),
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
  node_name: optional(stringType, 'node_name of the events.', { otherwise: 'the host name' }),
  customer_id: optional(stringType, 'customer_id of the events.'),
} satisfies Definitions;

export const macrosOptions = {
  listener: option(
    listType(macroTemplateType),
    ['{daemon_name}'],
    'Macro that names the ESMTP_Listener; of several the first that is set.',
  ),
  listen: option(
    listType(macroTemplateType),
    ['{daemon_addr}:{daemon_port}'],
    'Macros that tell where the MTA accepted the connection.',
  ),
  peer: option(listType(macroTemplateType), ['{client_addr}'], "Macro with the client's address."),
  pathway: option(
    listType(macroTemplateType),
    ['{auth_authen}'],
    'Macro that names the pathway, where one of that name is configured; {sender_domain} is ours.',
  ),
} satisfies Definitions;

export const smtpapiOptions = {} satisfies Definitions;

export const engagementTrackerOptions = {
  click_tracking_include_metadata: option(
    booleanType,
    true,
    'Whether a click event carries the metadata of the message.',
  ),
  max_metadata_len: option(integerType(1, 65_536), 1000, "Bytes of the metadata's JSON."),
} satisfies Definitions;

export const logOptions = {
  level: option(
    choiceType('trace', 'debug', 'info', 'warn', 'error'),
    'info',
    'From where on lines are written.',
  ),
  format: option(
    choiceType('auto', 'json', 'pretty'),
    'auto',
    'auto is readable on a terminal and JSON elsewhere.',
  ),
  file: optional(pathType, 'File the log goes to; opened again on SIGHUP.', {
    otherwise: 'the standard output',
  }),
  detail: option(
    choiceType('none', 'domain', 'full'),
    'domain',
    'How much of URLs and mail addresses the log may show.',
  ),
} satisfies Definitions;

/** What one stanza may be called, hold, and stand in. */
export interface StanzaDefinition {
  /** Tells the two kinds of Listen apart. */
  readonly id: string;
  readonly name: string;
  readonly label?: {
    readonly kind: 'listen' | 'peer' | 'name';
    readonly required: boolean;
  };
  readonly options: Definitions;
  /** Ids of the stanzas it may stand in; `global` is the top. */
  readonly within: readonly string[];
  readonly description: string;
}

/** THE list of stanzas and options. */
export const stanzas: readonly StanzaDefinition[] = [
  {
    id: 'global',
    name: 'global',
    options: globalOptions,
    within: [],
    description: 'What stands in no stanza.',
  },
  {
    id: 'esmtp_listener',
    name: 'ESMTP_Listener',
    label: { kind: 'name', required: false },
    options: { ...trackingOptions, pathway, enable },
    within: ['global'],
    description: 'An SMTP service of the MTA: the one of this name, or without a name any.',
  },
  {
    id: 'listen',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: { ...trackingOptions, pathway, enable },
    within: ['esmtp_listener'],
    description: 'Where the MTA accepted the connection, such as "*:587".',
  },
  {
    id: 'peer',
    name: 'Peer',
    label: { kind: 'peer', required: true },
    options: { ...trackingOptions, pathway },
    within: ['esmtp_listener', 'listen'],
    description: 'Clients of the MTA by address or network, such as "10.0.0.0/8".',
  },
  {
    id: 'pathway_group',
    name: 'pathway_group',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global'],
    description: 'Pathways with something in common.',
  },
  {
    id: 'pathway',
    name: 'pathway',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global', 'pathway_group'],
    description: 'Mail of one kind or customer, wherever it comes in.',
  },
  {
    id: 'milter_listener',
    name: 'Milter_Listener',
    options: milterOptions,
    within: ['global'],
    description: 'The milter, which the MTA connects to; 127.0.0.1:8893 where no Listen is given.',
  },
  {
    id: 'http_listener',
    name: 'HTTP_Listener',
    options: httpOptions,
    within: ['global'],
    description:
      'The redirect endpoint, which recipients reach; 127.0.0.1:8080 where no Listen is given.',
  },
  {
    id: 'control_listener',
    name: 'Control_Listener',
    options: controlOptions,
    within: ['global'],
    description: 'Health and metrics, never public; 127.0.0.1:8894 where no Listen is given.',
  },
  {
    id: 'socket',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: socketOptions,
    within: ['milter_listener', 'http_listener', 'control_listener'],
    description: 'An address and port to listen at, or the path of a unix socket.',
  },
  {
    id: 'redis',
    name: 'redis',
    options: redisOptions,
    within: ['global'],
    description: 'The server of link_store = "redis".',
  },
  {
    id: 'sealed',
    name: 'sealed',
    options: sealedOptions,
    within: ['global'],
    description: 'Links that hold their own target, encrypted.',
  },
  {
    id: 'events',
    name: 'events',
    options: eventsOptions,
    within: ['global'],
    description: 'Clicks: where they are kept and sent.',
  },
  {
    id: 'macros',
    name: 'macros',
    options: macrosOptions,
    within: ['global'],
    description: "Which of the MTA's macros the scopes are matched by; lists are tried in order.",
  },
  {
    id: 'smtpapi',
    name: 'smtpapi',
    options: smtpapiOptions,
    within: ['global'],
    description: 'Present, X-MSYS-API headers are read where accept_x_msys_api believes them.',
  },
  {
    id: 'engagement_tracker',
    name: 'engagement_tracker',
    options: engagementTrackerOptions,
    within: ['global'],
    description: 'Metadata in click events.',
  },
  {
    id: 'log',
    name: 'log',
    options: logOptions,
    within: ['global'],
    description: 'The log.',
  },
];
