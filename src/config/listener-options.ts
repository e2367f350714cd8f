import { type Definitions, option, optional } from './option.ts';
import { listType } from './option-type.ts';
import {
  booleanType,
  contactType,
  fileModeType,
  hostNameType,
  integerType,
  pathType,
  proxyType,
  stringType,
} from './option-types.ts';
import { secondsType, sizeType } from './quantity-types.ts';

/** Where clickmilter's own listeners listen that have no Listen. */
export const DEFAULT_HOST = '127.0.0.1';
export const defaultPorts = {
  milter_listener: 8893,
  http_listener: 8080,
  control_listener: 8894,
  web_listener: 8896,
} as const;

const MiB = 1024 * 1024;

export const milterOptions = {
  max_connections: option(
    integerType(1, 100_000),
    1000,
    'Maximum number of simultaneous MTA connections per worker.',
  ),
  max_message_size: option(
    sizeType,
    50 * MiB,
    'Maximum size of a message body. Larger messages pass untracked.',
  ),
  max_memory: optional(
    sizeType,
    'Maximum memory of all messages in progress, divided among the workers. Messages that find no room pass untracked. The macros of a connection, up to 64 KB, are not counted.',
    {
      otherwise: 'a quarter of the memory of the machine or the cgroup',
      example: '1G',
      since: '0.2.0',
    },
  ),
  max_header_size: option(
    sizeType,
    MiB,
    'Maximum size of all header fields together. Messages with more pass untracked.',
  ),
  max_header_count: option(
    integerType(1, 1_000_000),
    2000,
    'Maximum number of header fields. Messages with more pass untracked.',
  ),
  max_recipients: option(
    integerType(1, 10_000_000),
    50_000,
    'Maximum number of recipients. Messages with more pass untracked.',
  ),
  max_parts: option(
    integerType(1, 1_000_000),
    1000,
    'Maximum number of MIME parts. Messages with more pass untracked.',
  ),
  max_links: option(
    integerType(1, 1_000_000),
    10_000,
    'Maximum number of links in a part. Parts with more stay untracked.',
  ),
  max_growth: option(
    integerType(1, 1000),
    8,
    'Maximum growth of a message: tracked links may add this multiple of its text and HTML parts, plus 64K. Links beyond that are left alone.',
    { since: '0.2.0' },
  ),
  idle_timeout: option(
    secondsType(1, 86_400),
    7210,
    "Idle timeout while waiting for the MTA, in seconds. The default is libmilter's. After a hand-over, the sessions of the old worker end within this time plus drain_timeout.",
  ),
  write_timeout: option(
    secondsType(1, 3600),
    60,
    'Timeout for the MTA to read a reply, in seconds without progress.',
  ),
  drain_timeout: option(
    secondsType(0, 3600),
    15,
    'Seconds that running SMTP sessions get to finish when the service stops without --hand-over. Keep it well below the 30 s that Postfix waits for a connection.',
  ),
} satisfies Definitions;

/** The options of `Listen` in the listeners of clickmilter itself. */
export const socketOptions = {
  file_mode: option(fileModeType, 0o660, 'Permissions of a unix socket.'),
  file_owner: optional(stringType, 'Owner of a unix socket.', {
    otherwise: 'the user of the service',
    example: 'clickmilter',
  }),
  file_group: optional(
    stringType,
    'Group of a unix socket. The systemd units may not change it: set SocketGroup in the socket unit instead.',
    {
      otherwise: 'the group of the service',
      example: 'postfix',
    },
  ),
} satisfies Definitions;

export const httpOptions = {
  check_host: option(
    booleanType,
    true,
    'Whether the Host of a request must be the tracking_domain of its link. Set it to off where a proxy changes Host; sealed links then need their tracking_domain in this configuration, which may have 100 of them.',
  ),
  trusted_proxies: option(
    listType(proxyType),
    [],
    'Proxies whose X-Forwarded-For and X-Forwarded-Host headers are trusted; "unix" for proxies that connect to a unix socket. The proxy must set or strip X-Forwarded-Host. The PROXY protocol is not supported.',
    { example: '( "127.0.0.1" "::1" )' },
  ),
  respect_gpc: option(
    booleanType,
    false,
    'Whether a click is counted without its recipient, message and reader if the browser sends Sec-GPC: 1 (Global Privacy Control) or DNT: 1.',
    { since: '0.2.0' },
  ),
  contact: optional(
    contactType,
    'Mail address or URL for readers with questions, shown on the page at / and on the pages of links that lead nowhere.',
    { example: '"postmaster@example.com"', since: '0.2.0' },
  ),
  pages: optional(
    pathType,
    'Folder of your own pages in place of the shipped ones: index.html for /, 404.html, 410.html and 503.html. 404.de.html is for readers of German; 404.html for all others. A page is UTF-8 of up to 64K, with its styles and images (data:) in it: browsers load no other file.',
    { example: '"/etc/clickmilter/pages"', since: '0.2.0' },
  ),
  static_folder: optional(
    pathType,
    'Folder of robots.txt, favicon.ico and .well-known/, which links into apps need.',
    { example: '"/etc/clickmilter/static"' },
  ),
  tls_certificate: optional(
    pathType,
    'PEM file of the certificate chain. If set, the listener serves HTTPS.',
    { example: '"/etc/clickmilter/fullchain.pem"' },
  ),
  tls_key: optional(pathType, 'PEM file of the private key.', {
    example: '"/etc/clickmilter/privkey.pem"',
  }),
  max_connections: option(
    integerType(1, 1_000_000),
    10_000,
    'Maximum number of simultaneous connections per worker.',
  ),
  request_timeout: option(secondsType(1, 600), 10, 'Timeout for a request to arrive, in seconds.'),
} satisfies Definitions;

export const webOptions = {
  token_file: optional(
    pathType,
    'File with the token of the login: one line of 16 to 512 printable characters. Connections from other hosts need the login to view the page. Blocking, unblocking and retargeting links needs it too, except over a unix socket. Without the file, other hosts cannot view the page. A reload reads the file again.',
    { example: '"/etc/clickmilter/web-token"', since: '0.2.0' },
  ),
  hosts: option(
    listType(hostNameType),
    [],
    'Names by which browsers reach the page, such as that of a reverse proxy. localhost and the address of the connection work without it. A request for another name gets the status 421, because the page of another site may have sent it.',
    { example: '( "clicks.example.com" )', since: '0.2.0' },
  ),
  max_connections: option(
    integerType(1, 100_000),
    100,
    'Maximum number of simultaneous connections.',
    { since: '0.2.0' },
  ),
  max_requests: option(
    integerType(1, 1000),
    8,
    'Maximum number of requests that are answered at the same time. More get the status 503.',
    { since: '0.2.0' },
  ),
  request_timeout: option(secondsType(1, 600), 10, 'Timeout for a request to arrive, in seconds.', {
    since: '0.2.0',
  }),
} satisfies Definitions;
