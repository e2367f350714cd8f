import { maxDatabase } from '../lib/redis-url.ts';
import { hidden, shown, withoutLogin } from './mask.ts';
import { type Definitions, option, optional, statePath } from './option-definition.ts';
import { integerType, listType, pathType, secondsType, stringType } from './option-type.ts';
import { hostPortType, redisUrlType } from './option-values.ts';

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
