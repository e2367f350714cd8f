import { basename, dirname, join, resolve } from 'node:path';
import { contextVariableNames } from '../scope/context-variables.ts';
import { LONGEST_MACRO_NAME } from '../scope/facts.ts';
import { linkStores } from '../store/open-store.ts';
import { type Definitions, derived, option, optional } from './option.ts';
import { choiceType, listType } from './option-type.ts';
import {
  booleanType,
  integerType,
  macroTemplateType,
  pathType,
  workersType,
} from './option-types.ts';
import { sizeFromType } from './quantity-types.ts';

export const globalOptions = {
  link_store: option(
    choiceType(...linkStores),
    'sealed',
    'Where links are kept: in Redis, which makes them short, or sealed (encrypted) in the link itself. A sealed link holds the campaign, the customer and the recipient of its message, and more facts as long as its token stays within 220 characters (docs/events.md). Sealed links work with either setting. After a change to sealed, links that were kept in Redis lead nowhere.',
  ),
  workers: option(workersType, 1, 'Number of worker processes; auto means one per processor.'),
  worker_max_memory: option(
    sizeFromType('128M'), // a new worker has about 100 MB
    1024 * 1024 * 1024,
    'Resident memory at which a worker is replaced by a new one, if there are several workers. A new worker takes about 100M.',
  ),
  state_directory: derived(
    pathType,
    ({ file }) => defaultStateDirectory(file),
    'Folder of the keys of sealed links, the click journal, the block list, the opt-outs and the previews.',
    {
      example: '"/var/lib/clickmilter"',
      otherwise:
        '/var/lib/clickmilter if the configuration file is below /etc; else var, beside the folder of the configuration file if that folder is called conf, and inside it otherwise',
    },
  ),
} satisfies Definitions;

const longNames = contextVariableNames.filter((name) => name.length > LONGEST_MACRO_NAME);

export const macrosOptions = {
  listener: option(
    listType(macroTemplateType),
    ['{daemon_name}'],
    'Macro that names the ESMTP_Listener.',
  ),
  listen: option(
    listType(macroTemplateType),
    ['{daemon_addr}:{daemon_port}'],
    'Macros with the address and port at which the MTA accepted the connection. Where Sendmail listens on every address, {if_addr} names the one in use.',
  ),
  peer: option(
    listType(macroTemplateType),
    ['{client_addr}'],
    'Macro with the address of the SMTP client.',
  ),
  pathway: option(
    listType(macroTemplateType),
    ['{auth_authen}'],
    'Macro that names the pathway. In a list, the first that names a configured pathway is used. clickmilter itself sets {sender_domain}, the domain of the envelope sender.',
  ),
  long_names: option(
    booleanType,
    false,
    `Whether the MTA is asked for context variables with names of more than ${LONGEST_MACRO_NAME} characters too (${longNames.join(', ')}). Leave it off with Sendmail, which would refuse all mail.`,
  ),
} satisfies Definitions;

export const smtpapiOptions = {} satisfies Definitions;

export const engagementTrackerOptions = {
  click_tracking_include_metadata: option(
    booleanType,
    true,
    'Whether click events carry the metadata of the message. Sealed links hold metadata as far as there is room (see link_store).',
  ),
  max_metadata_len: option(
    integerType(1, 65_536),
    1000,
    'Maximum size of the JSON of the metadata, in bytes. Longer metadata is left out of click events.',
  ),
} satisfies Definitions;

export const logOptions = {
  level: option(
    choiceType('trace', 'debug', 'info', 'warn', 'error'),
    'info',
    'Minimum level that is logged.',
  ),
  format: option(
    choiceType('auto', 'json', 'pretty'),
    'auto',
    'Format of log lines; auto is pretty on a terminal and json elsewhere.',
  ),
  file: optional(
    pathType,
    'Log file, opened again on SIGHUP. The systemd units let the service write to /var/log/clickmilter.',
    {
      otherwise: 'the standard output',
      example: '"/var/log/clickmilter/clickmilter.log"',
    },
  ),
  detail: option(
    choiceType('none', 'domain', 'full'),
    'domain',
    'How much of URLs and mail addresses log lines and the engagement page show (docs/privacy.md).',
  ),
} satisfies Definitions;

/**
 * The default of state_directory: /var/lib/clickmilter for an installed configuration (below /etc),
 * else `var`, beside a folder called conf, as in a checkout, or inside any other folder.
 */
export function defaultStateDirectory(file: string): string {
  const folder = dirname(resolve(file));
  if (`${folder}/`.startsWith('/etc/')) return '/var/lib/clickmilter';
  return join(basename(folder) === 'conf' ? dirname(folder) : folder, 'var');
}
