import { type Definitions, option, optional } from './option.ts';
import {
  booleanType,
  fileModeType,
  integerType,
  listType,
  pathType,
  proxyType,
  secondsType,
  sizeType,
  stringType,
} from './option-types.ts';

const MiB = 1024 * 1024;

export const milterOptions = {
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
  max_memory: optional(
    sizeType,
    'Bytes of all messages under way at the same time, shared out among the workers; a message that finds no room passes untouched.',
    { otherwise: 'a quarter of the memory of the machine or the cgroup' },
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
  max_growth: option(
    integerType(1, 1000),
    8,
    'What tracked links may add to a message, in multiples of its text and HTML part, beside 64K; the links beyond it are left alone.',
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
    15,
    'Seconds that running SMTP sessions get to finish when the service stops without --hand-over: well below the 30 s that Postfix waits for a connection.',
  ),
} satisfies Definitions;

/** Of `Listen` in the listeners of clickmilter itself. */
export const socketOptions = {
  file_mode: option(fileModeType, 0o660, 'Mode of a unix socket.'),
  file_owner: optional(stringType, 'User a unix socket belongs to.', {
    otherwise: 'the user of the service',
  }),
  file_group: optional(
    stringType,
    'Group a unix socket belongs to. The systemd units may not change it: there the socket unit does, by SocketGroup.',
    {
      otherwise: 'the group of the service',
    },
  ),
} satisfies Definitions;

export const httpOptions = {
  check_host: option(
    booleanType,
    true,
    "Whether the Host of a request must be the link's own tracking_domain. Where it is off, sealed links need theirs to be in the configuration.",
  ),
  trusted_proxies: option(
    listType(proxyType),
    [],
    'Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Host are believed; "unix" for those that connect to a unix socket. The proxy must set or strip X-Forwarded-Host.',
  ),
  static_folder: optional(
    pathType,
    'Folder with robots.txt, favicon.ico, and what is below .well-known, as for links into apps.',
  ),
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
