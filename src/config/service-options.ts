import { basename, dirname, join, resolve } from 'node:path';
import { type Definitions, derived, option, optional } from './option.ts';
import {
  booleanType,
  choiceType,
  integerType,
  listType,
  macroTemplateType,
  pathType,
  sizeFromType,
  workersType,
} from './option-types.ts';

export const globalOptions = {
  link_store: option(
    choiceType('redis', 'sealed'),
    'sealed',
    'Where links are kept: in Redis, or sealed inside the link itself. Of the message, a sealed link holds campaign and recipient; pathway, metadata, tags, sender, queue id and subject, in this order, only as far as its token stays within 220 characters. Sealed links work with either; after a change to sealed, those already sent by way of Redis lead nowhere.',
  ),
  workers: option(workersType, 1, 'Worker processes; auto is one for each processor.'),
  worker_max_memory: option(
    sizeFromType('128M'), // a new worker has some 100 MB
    1024 * 1024 * 1024,
    'Bytes in memory beyond which a worker hands over to a new one; where there are several. A new one takes some 100M.',
  ),
  state_directory: derived(
    pathType,
    ({ file }) => defaultStateDirectory(file),
    'Folder of keys, events and block list.',
    {
      otherwise:
        '/var/lib/clickmilter for a configuration below /etc; else var, beside a configuration folder called conf, or inside of any other',
    },
  ),
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
  long_names: option(
    booleanType,
    false,
    'Asks also for context variables with names of over 25 characters. Not with Sendmail, which then refuses all mail.',
  ),
} satisfies Definitions;

export const smtpapiOptions = {} satisfies Definitions;

export const engagementTrackerOptions = {
  click_tracking_include_metadata: option(
    booleanType,
    true,
    'Whether a click event carries the metadata of the message; with sealed links, as far as there is room (see link_store).',
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

/**
 * Where keys, events and block list are kept when state_directory does not say: /var/lib/clickmilter
 * for an installed configuration (below /etc); `var` for any other, beside its folder where that is
 * called conf, as in a checkout, else inside of it.
 */
export function defaultStateDirectory(file: string): string {
  const folder = dirname(resolve(file));
  if (`${folder}/`.startsWith('/etc/')) return '/var/lib/clickmilter';
  return join(basename(folder) === 'conf' ? dirname(folder) : folder, 'var');
}
