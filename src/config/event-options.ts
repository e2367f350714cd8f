import { hostname } from 'node:os';
import { hidden, originOnly } from './mask.ts';
import { type Definitions, derived, option, optional, statePath } from './option-definition.ts';
import {
  booleanType,
  integerType,
  scalarType,
  secondsType,
  sizeFromType,
  sizeType,
  stringType,
} from './option-type.ts';

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
