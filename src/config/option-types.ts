import { dirname, resolve } from 'node:path';
import { compile } from 'css-select';
import { parseNetwork } from '../lib/address.ts';
import { parseAppendQuery } from '../lib/append-query.ts';
import { hasStrayBraces, namesInBraces } from '../lib/braces.ts';
import { asciiDomain, parseTrackingDomain } from '../lib/host-name.ts';
import { isRedisHost, parseRedisUrl } from '../lib/redis-url.ts';
import { parseBoolean, parseChoice, parseWholeNumber } from '../lib/values.ts';
import { contextVariables } from '../scope/context-variables.ts';
import { parseDomainTemplate } from '../scope/tracking-domain.ts';
import { notImplemented } from './momentum-names.ts';
import { listType, mapType, type OptionType, scalarType } from './option-type.ts';
import { nearest } from './problem.ts';

/* The types of options: each is the syntax of one kind of value. */

export const booleanType = scalarType(
  'on or off (or true/false, enabled/disabled, 1/0)',
  parseBoolean,
);

export const stringType = scalarType('a non-empty string', (text) => text || undefined);

export function integerType(min: number, max: number): OptionType<number> {
  return scalarType(`a whole number from ${min} to ${max}`, (text) =>
    parseWholeNumber(text, min, max),
  );
}

/**
 * A file or folder. A relative path starts at the folder of the configuration file that contains
 * it.
 */
export const pathType = scalarType('a path', (text, { file }) =>
  text === '' || text.includes('\0') ? undefined : resolve(dirname(file), text),
);

export const hostNameType = scalarType(
  'a host name with or without a port, such as "click.example.com" or "localhost:8080"',
  parseTrackingDomain,
);

export const trackingDomainType = scalarType(
  `${hostNameType.expects}, or with the domain of the sender, such as "click.{sender_domain}"`,
  parseDomainTemplate,
);

export const domainPatternType = scalarType(
  'a domain such as "example.com" (with its subdomains) or "*.example.com" (subdomains only)',
  (text) => (isDomainPattern(text) ? text : undefined),
);

export const recipientPatternType = scalarType(
  'an address such as "user@example.com" or a domain',
  (text) => {
    const at = text.lastIndexOf('@');
    const [local, domain] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    const ok = at < 0 ? isDomainPattern(text) : local !== '' && isDomainPattern(domain);
    return ok && !/[\s<>]/.test(text) ? text : undefined;
  },
);

/**
 * Long enough for any URL. The cost of a match is bounded by the length of the pattern times that
 * of the URL.
 */
const MAX_PATTERN_LENGTH = 1000;

export const urlPatternType = scalarType(
  `a URL of at most ${MAX_PATTERN_LENGTH} characters, in which * stands for any characters, such as "*/unsubscribe*"`,
  (text) =>
    text !== '' && text.length <= MAX_PATTERN_LENGTH && !/\s/.test(text) ? text : undefined,
);

export const selectorType = scalarType(
  'a CSS selector such as "a.no-tracking" or "footer a"',
  (text) => (isSelector(text) ? text : undefined),
);

export const appendQueryType = scalarType(
  'parameters of a URL such as "utm_source=news&utm_campaign={campaign_id}", of up to 128 characters',
  parseAppendQuery,
);

export const proxyType = scalarType(
  'an IP address, a network such as "10.0.0.0/8", or "unix" for all peers of unix sockets',
  (text) => (text === 'unix' || parseNetwork(text) ? text : undefined),
);

export const networksType = listType(
  scalarType(
    'an IP address, a network such as "198.51.100.0/24", or "file:" and the path of a file with one of them per line',
    (text, { file }) => {
      if (!text.startsWith('file:')) return parseNetwork(text) ? text : undefined;
      const path = text.slice('file:'.length);
      return path === '' || path.includes('\0')
        ? undefined
        : `file:${resolve(dirname(file), path)}`;
    },
  ),
);

export const contactType = scalarType(
  'an address such as "postmaster@example.com", or an http:// or https:// URL',
  (text) => {
    if (/^https?:\/\//i.test(text)) return URL.canParse(text) ? new URL(text).href : undefined;
    return /^[^\s<>"@]{1,64}@[^\s<>"@]{1,253}$/.test(text) ? text : undefined;
  },
);

export const redisUrlType = scalarType('a redis://, rediss:// or unix:// URL', (text) => {
  parseRedisUrl(text);
  return text;
});

export const hostPortType = scalarType('a host and a port such as "10.0.0.1:26379"', (text) => {
  const [, host = '', port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const isRight = isRedisHost(host) && !host.includes(':');
  const isV6 = /^\[.*\]$/.test(host) && isRedisHost(host.slice(1, -1));
  return (isRight || isV6) && Number(port) > 0 && Number(port) < 65536 ? text : undefined;
});

export const fileModeType: OptionType<number> = {
  ...scalarType('a file mode such as 0660', (text) =>
    /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined,
  ),
  write: (mode) => `0${mode.toString(8).padStart(3, '0')}`,
};

export const macroTemplateType = scalarType(
  'a string with macros in braces, such as "{daemon_addr}:{daemon_port}"',
  (text) => (namesInBraces([text]).length > 0 && !hasStrayBraces(text) ? text : undefined),
);

export const workersType: OptionType<number | 'auto'> = scalarType(
  '"auto" or a whole number from 1 to 64',
  (text) => parseChoice(['auto'], text) ?? parseWholeNumber(text, 1, 64),
);

const unlimited = { maxMetadataLen: Number.POSITIVE_INFINITY };
const variables = Object.values(contextVariables);

/** Context variables. Those that decide something are checked here, not for every message. */
export const contextType = mapType((name, value, report) => {
  const key = name.text.toLowerCase();
  const variable = variables.find((candidate) => candidate.name === key);
  if (variable && variable.parse(value.text, unlimited) === undefined) {
    report(value.origin, `has ${key} = "${value.text}", which must be ${variable.expected}`);
    return false;
  }
  if (!variable && key.startsWith('smtpapi_') && !notImplemented.has(key)) {
    const names = variables.map((candidate) => candidate.name);
    report(name.origin, `has ${key}, which clickmilter does not know${nearest(key, names)}`);
    return false;
  }
  return true;
});

function isDomainPattern(text: string): boolean {
  const name = asciiDomain(text.replace(/^\*?\./, ''));
  return parseTrackingDomain(name) !== undefined && !/:\d+$/.test(name);
}

function isSelector(text: string): boolean {
  if (text.trim() === '' || text.length > MAX_PATTERN_LENGTH) return false;
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}
